#include "core/daemon/master_join.h"

#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/msgpack.h"

namespace lotse::daemon {
namespace {

constexpr Duration kJoinMax = std::chrono::seconds(30);
constexpr size_t kFileMax = 1 << 16;
constexpr const char* kPurpose = "lotse master join";
// The certificate last: as long as it is not there nothing has been fetched.
constexpr const char* kFiles[] = {"sa.key", "ca.key", "ca.crt"};
const store::Key kAuthority{"lotse/cluster", "", "ca"};

}  // namespace

Status fetch_master_keys(Base& base, store::Store& store, const std::string& pki, const security::CurvePair& keys) {
  if (auto certificate = read_file(pki + "/ca.crt", kFileMax); certificate.ok()) return {};
  if (!store.get(kAuthority).ok()) return {};  // the first master makes them
  const std::string& join_file = base.config.bus.join_file;
  if (join_file.empty()) {
    return Status(Reason::kInvalid, "this cluster has masters already: put what `lotse token create --master` prints on one of them into a file and name it as join_file in [bus]");
  }
  LOTSE_TRY(std::string text, read_file(join_file, 8192));
  LOTSE_TRY(bus::JoinString to, bus::JoinString::parse(text));
  if (!to.for_master) return Status(Reason::kInvalid, join_file + " lets a worker in: a master needs what `lotse token create --master` prints");
  log::info("daemon.joining", "asking a master for the cluster's keys", {{"node", base.config.daemon.node_name}});
  LOTSE_TRY(bus::Joined joined, bus::join(base.bus, to, base.config.daemon.node_name, keys, kJoinMax));
  LOTSE_TRY(std::string plain, security::unseal_with(keys, kPurpose, joined.keys.view()));
  LOTSE_TRY(MsgValue files, MsgValue::parse(plain));
  for (const char* name : kFiles)
    if (files[name].as_text().empty()) return Status(Reason::kInvalid, std::string("the master gave no ") + name);
  for (const char* name : kFiles) LOTSE_CHECK_OK(write_file_atomically(pki + "/" + name, files[name].as_text(), 0600));
  return {};
}

Status settle_authority(store::Store& store, const std::string& ca_pem) {
  const std::string hash = sha256_hex(ca_pem);
  auto kept = store.get(kAuthority);
  if (!kept.ok() && kept.status().reason == Reason::kNotFound) {
    json::Value v = json::Value::object({{"apiVersion", "lotse/v1"}, {"kind", "Authority"}, {"sha256", hash}});
    v["metadata"]["name"] = kAuthority.name;
    v["metadata"]["uid"] = make_uuid();
    store::Write write;
    write.key = kAuthority;
    write.expected = 0;
    write.object = Object::from_value(std::move(v), 0);
    auto done = store::commit_and_wait(store, std::move(write));
    if (done.ok()) return {};
    if (done.status().reason != Reason::kAlreadyExists) return done.status();
    kept = store.get(kAuthority);
  }
  if (!kept.ok()) return kept.status();
  if ((*kept)->value()["sha256"].str() == hash) return {};
  return Status(Reason::kInvalid, "the CA in pki/ is not this cluster's: it was made by a master of another one, or at the same time as another first master; take pki/ away and join with "
                                  "`lotse token create --master`");
}

Result<Bytes> sealed_master_keys(const std::string& pki, const std::string& public_z85) {
  MsgValue files = MsgValue::map();
  for (const char* name : kFiles) {
    LOTSE_TRY(std::string text, read_file(pki + "/" + name, kFileMax));
    files.set(name, text);
  }
  LOTSE_TRY(std::string sealed, security::seal_for(public_z85, kPurpose, files.encode()));
  return Bytes(sealed);
}

}  // namespace lotse::daemon
