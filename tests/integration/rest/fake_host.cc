// A host that is not lotsed: loads a transport plugin, gives it an API with canned resources and certificates of its own
// making, and runs until it gets SIGTERM. SIGUSR1 changes the certificate.
//   fake_host PLUGIN.so CONFIG_HEX [CONFIGMAPS] [PRINT_KEYS...]   config: a MessagePack map, in hexadecimal
// Prints "listening ADDRESS" for each address, then "ready".
#include <dlfcn.h>
#include <lotse/call.hpp>
#include <lotse/plugin.hpp>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <cstdio>
#include <future>

#include "tests/integration/rest/fake_api.h"

namespace lotse::fake {
namespace {

std::string pem_of(const std::function<void(BIO*)>& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<size_t>(size));
  BIO_free(bio);
  return out;
}

// A self-signed certificate for localhost.
class Tls {
 public:
  Tls(std::string bus_public, std::string bus_secret) : bus_public_(std::move(bus_public)), bus_secret_(std::move(bus_secret)) {
    table_ = {sizeof table_, 0, this,
              [](void* self, void (*fn)(void*, const lotse_tls_material*), void* ctx) -> uint64_t { return static_cast<Tls*>(self)->subscribe(fn, ctx); },
              [](void* self, uint64_t) { static_cast<Tls*>(self)->fn_ = nullptr; }};
    renew();
  }
  const lotse_host_tls* table() const { return &table_; }
  void renew() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++generation_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    certificate_ = pem_of([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
    key_ = pem_of([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); });
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (fn_) tell();
  }

 private:
  uint64_t subscribe(void (*fn)(void*, const lotse_tls_material*), void* ctx) {
    fn_ = fn;
    ctx_ = ctx;
    tell();
    return 1;
  }
  void tell() {
    const lotse_tls_material material{sizeof material, generation_, sdk::bytes(certificate_), sdk::bytes(key_), sdk::bytes(certificate_),
                                      sdk::bytes(bus_public_), sdk::bytes(bus_secret_)};
    fn_(ctx_, &material);
  }
  lotse_host_tls table_;
  uint32_t generation_ = 0;
  std::string certificate_, key_, bus_public_, bus_secret_;
  void (*fn_)(void*, const lotse_tls_material*) = nullptr;
  void* ctx_ = nullptr;
};

struct Services {
  Api api;
  Tls tls;
  lotse_host_log log{sizeof log, 0, nullptr,
                     [](void*, int32_t level, const char* event, lotse_bytes message, const lotse_pair*, size_t) {
                       std::fprintf(stderr, "log %d %s %.*s\n", level, event, static_cast<int>(message.size), static_cast<const char*>(message.data));
                     },
                     [](void*) -> int32_t { return LOTSE_DEBUG; }};
  static const void* find(void* self, const char* id) {
    auto* services = static_cast<Services*>(self);
    const std::string_view name = id;
    if (name == LOTSE_HOST_API) return services->api.table();
    if (name == LOTSE_HOST_TLS) return services->tls.table();
    if (name == LOTSE_HOST_LOG) return &services->log;
    return nullptr;
  }
};

std::string from_hex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

int run(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) return std::fprintf(stderr, "%s\n", dlerror()), 1;
  const auto* plugin = static_cast<const lotse_plugin*>(dlsym(library, LOTSE_PLUGIN_ENTRY_SYMBOL));
  if (!plugin || plugin->magic != LOTSE_PLUGIN_MAGIC) return std::fprintf(stderr, "no plugin\n"), 1;
  Services services{Api(argc > 3 ? std::stoul(argv[3]) : 10, 1024), Tls(argc > 4 ? argv[4] : "", argc > 5 ? argv[5] : "")};
  const lotse_host host{sizeof host, 0, &services, "0.1.0", Services::find};
  lotse_error error{};
  error.size = sizeof error;
  if (plugin->init(&host, &error) != LOTSE_OK) return std::fprintf(stderr, "init: %s\n", error.message), 1;
  const auto* factory = plugin->get_factory(LOTSE_FACTORY_TRANSPORT);
  const std::string config = from_hex(argv[2]);
  const auto* instance = factory->create(&host, sdk::bytes(config), &error);
  if (!instance) return std::fprintf(stderr, "create: %s\n", error.message), 1;
  const auto* transport = reinterpret_cast<const lotse_transport*>(instance);
  if (transport->start(instance->self, &error) != LOTSE_OK) return std::fprintf(stderr, "start: %s\n", error.message), 1;
  transport->addresses(instance->self, [](void*, lotse_bytes address) { std::printf("listening %s\n", sdk::view(address).data()); }, nullptr);
  std::printf("ready\n");
  std::fflush(stdout);

  for (int signal = 0; sigwait(&signals, &signal) == 0 && signal == SIGUSR1;) services.tls.renew();

  std::promise<void> drained;
  lotse_call call{};
  call.size = sizeof call;
  call.deadline_ns = sdk::monotonic_ns() + 2'000'000'000;
  call.ctx = &drained;
  call.done = [](void* ctx, int32_t, lotse_bytes) { static_cast<std::promise<void>*>(ctx)->set_value(); };
  transport->drain(instance->self, &call);
  drained.get_future().wait();
  instance->destroy(instance->self);  // whoever called done has returned after this
  plugin->deinit();
  std::printf("ended\n");
  return 0;
}

}  // namespace
}  // namespace lotse::fake

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  return lotse::fake::run(argc, argv);
}
