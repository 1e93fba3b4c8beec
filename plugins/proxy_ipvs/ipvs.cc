#include "plugins/proxy_ipvs/ipvs.h"

#include <arpa/inet.h>
#include <linux/ip_vs.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "lotse/error.hpp"
#include "plugins/service_table/program.h"

namespace lotse::proxy_ipvs {
namespace {

constexpr uint32_t kOurFlag = IP_VS_SVC_F_SCHED3, kFallback = IP_VS_SVC_F_SCHED1;
constexpr uint32_t kProbeMark = 0x4c6f7473;

template <auto fn>
struct Drop {
  template <class T> void operator()(T* p) const { fn(p); }
};
using Message = std::unique_ptr<nl_msg, Drop<nlmsg_free>>;

int af_of(Family family) { return family == Family::kIPv4 ? AF_INET : AF_INET6; }
int number_of(const std::string& protocol) { return protocol == "tcp" ? IPPROTO_TCP : protocol == "udp" ? IPPROTO_UDP : IPPROTO_SCTP; }

std::string text_of(const VirtualKey& k) {
  return k.protocol + " " + (k.family == Family::kIPv6 ? "[" + k.ip + "]" : k.ip) + ":" + std::to_string(k.port);
}

void put_address(nl_msg* m, int attribute, const std::string& ip, Family family) {
  unsigned char raw[16] = {};
  inet_pton(af_of(family), ip.c_str(), raw);
  nla_put(m, attribute, sizeof raw, raw);
}

std::string address_of(nlattr* attribute, Family family) {
  char text[INET6_ADDRSTRLEN] = "";
  if (nla_len(attribute) >= (family == Family::kIPv4 ? 4 : 16)) inet_ntop(af_of(family), nla_data(attribute), text, sizeof text);
  return text;
}

class LibNlIpvs : public Ipvs {
 public:
  LibNlIpvs() : sock_(nl_socket_alloc()) {
    if (!sock_) throw sdk::Failure(LOTSE_INTERNAL, "no memory for a netlink socket");
    if (int code = genl_connect(sock_.get())) throw sdk::Failure(LOTSE_UNAVAILABLE, std::string("no generic netlink: ") + nl_geterror(code));
    family_ = genl_ctrl_resolve(sock_.get(), IPVS_GENL_NAME);
    if (family_ < 0) {
      run_program({"modprobe", "ip_vs"}, "", std::chrono::seconds(20));
      family_ = genl_ctrl_resolve(sock_.get(), IPVS_GENL_NAME);
    }
    if (family_ < 0) throw sdk::Failure(LOTSE_UNSUPPORTED, "this kernel has no IPVS (module ip_vs), which the ipvs proxy needs; take proxy = \"nftables\" or \"iptables\" here");
    nl_socket_set_buffer_size(sock_.get(), 1 << 20, 0);
    nl_socket_disable_auto_ack(sock_.get());
  }

  std::vector<VirtualKey> ours() override {
    Message m = message(IPVS_CMD_GET_SERVICE, NLM_F_DUMP);
    std::vector<VirtualKey> out;
    const int code = exchange(m.get(), [&](nlattr** top) {
      VirtualKey key;
      KernelVirtual v;
      if (top[IPVS_CMD_ATTR_SERVICE] && read(top[IPVS_CMD_ATTR_SERVICE], &key, &v) && v.ours) out.push_back(std::move(key));
    });
    check(code, "reading the virtual services");
    return out;
  }

  std::optional<KernelVirtual> find(const VirtualKey& key) override {
    Message m = message(IPVS_CMD_GET_SERVICE, NLM_F_ACK);
    name(m.get(), key);
    std::optional<KernelVirtual> out;
    const int code = exchange(m.get(), [&](nlattr** top) {
      VirtualKey got;
      KernelVirtual v;
      if (top[IPVS_CMD_ATTR_SERVICE] && read(top[IPVS_CMD_ATTR_SERVICE], &got, &v)) out = v;
    });
    if (gone(code)) return {};
    check(code, "reading " + text_of(key));
    return out;
  }

  std::map<Destination, KernelDestination> destinations(const VirtualKey& key) override {
    Message m = message(IPVS_CMD_GET_DEST, NLM_F_DUMP);
    name(m.get(), key);
    std::map<Destination, KernelDestination> out;
    const int code = exchange(m.get(), [&](nlattr** top) {
      nlattr* a[IPVS_DEST_ATTR_MAX + 1];
      if (!top[IPVS_CMD_ATTR_DEST] || nla_parse_nested(a, IPVS_DEST_ATTR_MAX, top[IPVS_CMD_ATTR_DEST], nullptr)) return;
      if (!a[IPVS_DEST_ATTR_ADDR] || !a[IPVS_DEST_ATTR_PORT]) return;
      Destination to{address_of(a[IPVS_DEST_ATTR_ADDR], key.family), ntohs(nla_get_u16(a[IPVS_DEST_ATTR_PORT]))};
      auto number = [&](int which) { return a[which] ? nla_get_u32(a[which]) : 0; };
      out[to] = {static_cast<int>(number(IPVS_DEST_ATTR_WEIGHT)), number(IPVS_DEST_ATTR_ACTIVE_CONNS) + number(IPVS_DEST_ATTR_INACT_CONNS)};
    });
    if (!gone(code)) check(code, "reading the destinations of " + text_of(key));
    return out;
  }

  void set(const VirtualKey& key, const std::string& scheduler, int persistence_s, bool exists) override {
    Message m = message(exists ? IPVS_CMD_SET_SERVICE : IPVS_CMD_NEW_SERVICE, NLM_F_ACK);
    nlattr* nest = nla_nest_start(m.get(), IPVS_CMD_ATTR_SERVICE);
    name_fields(m.get(), key);
    properties(m.get(), scheduler, persistence_s, key.family);
    nla_nest_end(m.get(), nest);
    check(exchange(m.get()), "the virtual service " + text_of(key) + " was refused");
  }

  void remove(const VirtualKey& key) override {
    Message m = message(IPVS_CMD_DEL_SERVICE, NLM_F_ACK);
    name(m.get(), key);
    if (int code = exchange(m.get()); !gone(code)) check(code, "the virtual service " + text_of(key) + " could not be removed");
  }

  void set(const VirtualKey& key, const Destination& to, int weight, bool exists) override {
    Message m = message(exists ? IPVS_CMD_SET_DEST : IPVS_CMD_NEW_DEST, NLM_F_ACK);
    name(m.get(), key);
    nlattr* nest = nla_nest_start(m.get(), IPVS_CMD_ATTR_DEST);
    destination(m.get(), key, to);
    nla_put_u32(m.get(), IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_MASQ);
    nla_put_u32(m.get(), IPVS_DEST_ATTR_WEIGHT, static_cast<uint32_t>(weight));
    nla_put_u32(m.get(), IPVS_DEST_ATTR_U_THRESH, 0);
    nla_put_u32(m.get(), IPVS_DEST_ATTR_L_THRESH, 0);
    nla_nest_end(m.get(), nest);
    check(exchange(m.get()), "the destination " + to.ip + ":" + std::to_string(to.port) + " of " + text_of(key) + " was refused");
  }

  void remove(const VirtualKey& key, const Destination& to) override {
    Message m = message(IPVS_CMD_DEL_DEST, NLM_F_ACK);
    name(m.get(), key);
    nlattr* nest = nla_nest_start(m.get(), IPVS_CMD_ATTR_DEST);
    destination(m.get(), key, to);
    nla_nest_end(m.get(), nest);
    if (int code = exchange(m.get()); !gone(code)) check(code, "the destination " + to.ip + ":" + std::to_string(to.port) + " of " + text_of(key) + " could not be removed");
  }

  // A virtual service for a mark that no packet has, made and removed; the kernel loads the scheduler's module.
  void require_scheduler(const std::string& scheduler) override {
    auto probe = [&](int command) {
      Message m = message(command, NLM_F_ACK);
      nlattr* nest = nla_nest_start(m.get(), IPVS_CMD_ATTR_SERVICE);
      nla_put_u16(m.get(), IPVS_SVC_ATTR_AF, AF_INET);
      nla_put_u32(m.get(), IPVS_SVC_ATTR_FWMARK, kProbeMark);
      properties(m.get(), scheduler, 0, Family::kIPv4);
      nla_nest_end(m.get(), nest);
      return exchange(m.get());
    };
    const int code = probe(IPVS_CMD_NEW_SERVICE);
    if (code == -NLE_OBJ_NOTFOUND)
      throw sdk::Failure(LOTSE_UNSUPPORTED, "this kernel has no IPVS scheduler '" + scheduler + "' (module ip_vs_" + scheduler + "); choose another by the key scheduler");
    if (code != -NLE_EXIST) check(code, "trying the scheduler " + scheduler);
    check(probe(IPVS_CMD_DEL_SERVICE), "trying the scheduler " + scheduler);
  }

 private:
  using OnReply = std::function<void(nlattr**)>;

  Message message(int command, int flags) {
    Message m(nlmsg_alloc());
    if (!m || !genlmsg_put(m.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family_, 0, NLM_F_REQUEST | flags, static_cast<uint8_t>(command), IPVS_GENL_VERSION))
      throw sdk::Failure(LOTSE_INTERNAL, "no memory for a netlink message");
    return m;
  }

  void name_fields(nl_msg* m, const VirtualKey& k) {
    nla_put_u16(m, IPVS_SVC_ATTR_AF, static_cast<uint16_t>(af_of(k.family)));
    nla_put_u16(m, IPVS_SVC_ATTR_PROTOCOL, static_cast<uint16_t>(number_of(k.protocol)));
    put_address(m, IPVS_SVC_ATTR_ADDR, k.ip, k.family);
    nla_put_u16(m, IPVS_SVC_ATTR_PORT, htons(static_cast<uint16_t>(k.port)));
  }
  void name(nl_msg* m, const VirtualKey& k) {
    nlattr* nest = nla_nest_start(m, IPVS_CMD_ATTR_SERVICE);
    name_fields(m, k);
    nla_nest_end(m, nest);
  }
  void properties(nl_msg* m, const std::string& scheduler, int persistence_s, Family family) {
    // sh and mh go on to the next destination where the chosen one takes nothing new.
    ip_vs_flags flags{kOurFlag | (persistence_s ? IP_VS_SVC_F_PERSISTENT : 0) | (scheduler == "sh" || scheduler == "mh" ? kFallback : 0), ~0u};
    nla_put_string(m, IPVS_SVC_ATTR_SCHED_NAME, scheduler.c_str());
    nla_put(m, IPVS_SVC_ATTR_FLAGS, sizeof flags, &flags);
    nla_put_u32(m, IPVS_SVC_ATTR_TIMEOUT, static_cast<uint32_t>(persistence_s));
    nla_put_u32(m, IPVS_SVC_ATTR_NETMASK, family == Family::kIPv4 ? 0xffffffff : 128);
  }
  void destination(nl_msg* m, const VirtualKey& k, const Destination& to) {
    nla_put_u16(m, IPVS_DEST_ATTR_ADDR_FAMILY, static_cast<uint16_t>(af_of(k.family)));
    put_address(m, IPVS_DEST_ATTR_ADDR, to.ip, k.family);
    nla_put_u16(m, IPVS_DEST_ATTR_PORT, htons(static_cast<uint16_t>(to.port)));
  }

  // false: a service by mark, or of a protocol that we do not know.
  static bool read(nlattr* nest, VirtualKey* key, KernelVirtual* v) {
    nlattr* a[IPVS_SVC_ATTR_MAX + 1];
    if (nla_parse_nested(a, IPVS_SVC_ATTR_MAX, nest, nullptr)) return false;
    if (!a[IPVS_SVC_ATTR_AF] || !a[IPVS_SVC_ATTR_PROTOCOL] || !a[IPVS_SVC_ATTR_ADDR] || !a[IPVS_SVC_ATTR_PORT]) return false;
    key->family = nla_get_u16(a[IPVS_SVC_ATTR_AF]) == AF_INET ? Family::kIPv4 : Family::kIPv6;
    const int protocol = nla_get_u16(a[IPVS_SVC_ATTR_PROTOCOL]);
    if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP) return false;
    key->protocol = protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : "sctp";
    key->ip = address_of(a[IPVS_SVC_ATTR_ADDR], key->family);
    key->port = ntohs(nla_get_u16(a[IPVS_SVC_ATTR_PORT]));
    if (a[IPVS_SVC_ATTR_SCHED_NAME]) v->scheduler = nla_get_string(a[IPVS_SVC_ATTR_SCHED_NAME]);
    ip_vs_flags flags{};
    if (a[IPVS_SVC_ATTR_FLAGS]) nla_memcpy(&flags, a[IPVS_SVC_ATTR_FLAGS], sizeof flags);
    v->ours = flags.flags & kOurFlag;
    if ((flags.flags & IP_VS_SVC_F_PERSISTENT) && a[IPVS_SVC_ATTR_TIMEOUT]) v->persistence_s = static_cast<int>(nla_get_u32(a[IPVS_SVC_ATTR_TIMEOUT]));
    return true;
  }

  // Sends, and reads until the kernel has said that it is done. 0, or libnl's code.
  int exchange(nl_msg* m, OnReply on_reply = nullptr) {
    struct State {
      OnReply fn;
      bool done = false;
      int error = 0;
    } state{std::move(on_reply), false, 0};
    if (int code = nl_send_auto(sock_.get(), m); code < 0) return code;
    std::unique_ptr<nl_cb, Drop<nl_cb_put>> cb(nl_cb_alloc(NL_CB_DEFAULT));
    nl_cb_set(cb.get(), NL_CB_VALID, NL_CB_CUSTOM, [](nl_msg* reply, void* arg) -> int {
      auto* s = static_cast<State*>(arg);
      nlattr* top[IPVS_CMD_ATTR_MAX + 1];
      if (s->fn && genlmsg_parse(nlmsg_hdr(reply), 0, top, IPVS_CMD_ATTR_MAX, nullptr) == 0) s->fn(top);
      return NL_OK;
    }, &state);
    auto done = [](nl_msg*, void* arg) -> int {
      static_cast<State*>(arg)->done = true;
      return NL_STOP;
    };
    nl_cb_set(cb.get(), NL_CB_ACK, NL_CB_CUSTOM, done, &state);
    nl_cb_set(cb.get(), NL_CB_FINISH, NL_CB_CUSTOM, done, &state);
    nl_cb_err(cb.get(), NL_CB_CUSTOM, [](sockaddr_nl*, nlmsgerr* error, void* arg) -> int {
      auto* s = static_cast<State*>(arg);
      s->error = -nl_syserr2nlerr(error->error);
      s->done = true;
      return NL_STOP;
    }, &state);
    while (!state.done)
      if (int code = nl_recvmsgs(sock_.get(), cb.get()); code < 0 && !state.done) return code;
    return state.error;
  }

  static bool gone(int code) { return code == -NLE_OBJ_NOTFOUND; }  // ESRCH, ENOENT
  static void check(int code, const std::string& what) {
    if (code) throw sdk::Failure(code == -NLE_PERM ? LOTSE_DENIED : LOTSE_UNAVAILABLE, what + ": " + nl_geterror(code));
  }

  std::unique_ptr<nl_sock, Drop<nl_socket_free>> sock_;
  int family_ = -1;
};

}  // namespace

std::unique_ptr<Ipvs> Ipvs::open() { return std::make_unique<LibNlIpvs>(); }

}  // namespace lotse::proxy_ipvs
