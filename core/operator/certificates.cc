#include "core/operator/certificates.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "core/base/file.h"
#include "core/base/ids.h"

namespace lotse::ops {
namespace {

constexpr size_t kFileMax = 1 << 17;

WallTime time_of(const ASN1_TIME* time) {
  tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

std::vector<std::string> names_of(X509* cert) {
  std::vector<std::string> out;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) {
      out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)), static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      char text[INET6_ADDRSTRLEN] = {};
      const int size = ASN1_STRING_length(name->d.iPAddress);
      if (size == 4 || size == 16) out.emplace_back(inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text));
    }
  }
  GENERAL_NAMES_free(names);
  return out;
}

std::string subject_of(X509* cert) {
  char text[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, sizeof text);
  return text;
}

// Only the certificate is taken out of it: the key beside it is nobody's business here.
std::string admin_certificate(std::string_view kubeconfig) {
  constexpr std::string_view field = "client-certificate-data: ";
  const size_t at = kubeconfig.find(field);
  if (at == kubeconfig.npos) return {};
  const size_t begin = at + field.size();
  std::string pem;
  return unbase64(kubeconfig.substr(begin, kubeconfig.find('\n', begin) - begin), &pem) ? pem : std::string();
}

Certificate from_file(const char* name, const char* purpose, const std::string& file, bool is_kubeconfig, bool is_renewed) {
  auto text = read_file(file, kFileMax);
  Certificate c = text.ok() ? read_certificate(name, is_kubeconfig ? admin_certificate(*text) : *text) : Certificate();
  if (!text.ok()) c.problem = text.status().message;
  c.name = name;
  c.purpose = purpose;
  c.file = file;
  if (!is_renewed) c.renewed = {};
  return c;
}

std::string span(Duration time) { return format_age(std::max<Duration>(time, Duration::zero())); }

}  // namespace

Certificate read_certificate(std::string name, std::string_view pem) {
  Certificate c;
  c.name = std::move(name);
  BIO* in = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* cert = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
  BIO_free(in);
  if (!cert) {
    c.problem = "there is no certificate in it";
    return c;
  }
  c.subject = subject_of(cert);
  c.names = names_of(cert);
  c.from = time_of(X509_get0_notBefore(cert));
  c.until = time_of(X509_get0_notAfter(cert));
  c.renewed = c.from + (c.until - c.from) / 3 * 2;
  X509_free(cert);
  return c;
}

std::vector<Certificate> certificates(const std::string& dir) {
  if (auto ca = read_file(dir + "/pki/ca.crt", kFileMax); !ca.ok() && ca.status().reason == Reason::kNotFound) return {};
  return {from_file("ca", "the cluster's own authority", dir + "/pki/ca.crt", false, false),
          from_file("serving", "what the API shows its clients", dir + "/pki/serving.crt", false, true),
          from_file("admin", "the administrator's, in the kubeconfig", dir + "/admin.kubeconfig", true, true)};
}

Age age(const Certificate& c, WallTime now) {
  if (!c.problem.empty()) return Age::kUnreadable;
  if (now < c.from) return Age::kEarly;
  if (now >= c.until) return Age::kExpired;
  return c.renewed != WallTime{} && now >= c.renewed + std::chrono::hours(24) ? Age::kDue : Age::kGood;
}

std::string describe(const Certificate& c, WallTime now) {
  switch (age(c, now)) {
    case Age::kUnreadable: return c.problem;
    case Age::kEarly: return "not valid before " + format_time(c.from) + ": is the clock right?";
    case Age::kExpired: return "expired " + span(now - c.until) + " ago";
    case Age::kDue: return "good for " + span(c.until - now) + ", and should have been made anew";
    case Age::kGood: break;
  }
  return "good for " + span(c.until - now);
}

json::Value as_json(const std::vector<Certificate>& list, WallTime now) {
  json::Value out = json::Value::array();
  for (const auto& c : list) {
    json::Value v = json::Value::object({{"name", c.name}, {"purpose", c.purpose}, {"file", c.file}, {"state", describe(c, now)}, {"good", age(c, now) == Age::kGood}});
    if (c.problem.empty()) {
      v.set("subject", c.subject).set("notBefore", format_time(c.from)).set("notAfter", format_time(c.until));
      json::Value names = json::Value::array();
      for (const auto& name : c.names) names.push(name);
      if (!c.names.empty()) v.set("names", std::move(names));
      if (c.renewed != WallTime{}) v.set("renewedAfter", format_time(c.renewed));
    }
    out.push(std::move(v));
  }
  return json::Value::object({{"certificates", std::move(out)}});
}

}  // namespace lotse::ops
