#include "core/agent/checkpoint.h"

#include "core/agent/pod_context.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/msgpack.h"
#include "core/security/security.h"

namespace lotse::agent {
namespace {
constexpr Duration kGather = std::chrono::milliseconds(500);
constexpr size_t kFileMax = 256 * 1024 * 1024;
constexpr int64_t kVersion = 1;
}  // namespace

struct Checkpoint::State : std::enable_shared_from_this<State> {
  std::string dir, key;
  Loop& loop;
  WorkerPool& pool;
  struct Set {
    std::function<std::vector<ObjectPtr>()> collect;
    Handle timer;
    bool writing = false, again = false;
  };
  std::map<std::string, Set> sets;
  bool closed = false;

  State(std::string d, std::string k, Loop& l, WorkerPool& p)
      : dir(std::move(d)), key(std::move(k)), loop(l), pool(p) {}
  std::string path(const std::string& name) const { return dir + "/checkpoint-" + name; }

  void write(const std::string& name) {
    auto& set = sets[name];
    set.timer.reset();
    if (set.writing) {
      set.again = true;
      return;
    }
    set.writing = true;
    auto objects = std::make_shared<std::vector<ObjectPtr>>(set.collect());
    on_pool(loop, pool, [self = shared_from_this(), name, objects] {
      auto status = make_dirs(self->dir, 0700);
      if (status.ok())
        status = write_file_atomically(self->path(name),
                                       security::seal(self->key, "checkpoint/" + name, encode(*objects)), 0600);
      if (!status.ok()) log::warn("agent.checkpoint_failed", status.message, {{"set", name}});
    }, [weak = weak_from_this(), name] {
      auto self = weak.lock();
      if (!self || self->closed) return;
      auto& done = self->sets[name];
      done.writing = false;
      if (std::exchange(done.again, false)) self->arm(name);
    });
  }

  void arm(const std::string& name) {
    auto& set = sets[name];
    if (set.timer) return;
    set.timer = loop.after(kGather, [weak = weak_from_this(), name] {
      if (auto self = weak.lock(); self && !self->closed) self->write(name);
    });
  }
};

Checkpoint::Checkpoint(std::string dir, std::string key, Loop& loop, WorkerPool& pool)
    : state_(std::make_shared<State>(std::move(dir), std::move(key), loop, pool)) {}

Checkpoint::~Checkpoint() {
  state_->closed = true;
  state_->sets.clear();
}

std::string Checkpoint::encode(const std::vector<ObjectPtr>& objects) {
  std::string out;
  MsgWriter w(&out);
  w.array(2).integer(kVersion).array(static_cast<uint32_t>(objects.size()));
  for (const auto& o : objects) w.array(2).integer(static_cast<int64_t>(o->revision())).bin(o->bytes().view());
  return out;
}

Result<std::vector<ObjectPtr>> Checkpoint::decode(std::string_view bytes) {
  MsgLimits limits;
  limits.bytes_max = kFileMax;
  LOTSE_TRY(auto v, MsgValue::parse(bytes, limits));
  const auto& list = v.items();
  if (list.size() != 2 || list[0].as_int() != kVersion)
    return Status(Reason::kBadRequest, "a checkpoint of a version that is not known");
  std::vector<ObjectPtr> out;
  for (const auto& item : list[1].items()) {
    if (item.items().size() != 2) return Status(Reason::kBadRequest, "a damaged checkpoint");
    LOTSE_TRY(auto object, Object::from_bytes(Bytes(item.items()[1].as_text()), item.items()[0].as_uint()));
    out.push_back(std::move(object));
  }
  return out;
}

std::vector<ObjectPtr> Checkpoint::read(const std::string& name) const {
  auto sealed = read_file(state_->path(name), kFileMax);
  if (!sealed.ok()) {
    if (sealed.status().reason != Reason::kNotFound)
      log::warn("agent.checkpoint_unreadable", sealed.status().message, {{"set", name}});
    return {};
  }
  auto plain = security::unseal(state_->key, "checkpoint/" + name, *sealed);
  auto objects = plain.ok() ? decode(*plain) : Result<std::vector<ObjectPtr>>(plain.status());
  if (objects.ok()) return *std::move(objects);
  log::warn("agent.checkpoint_unreadable", objects.status().message, {{"set", name}});
  return {};
}

void Checkpoint::write_soon(const std::string& name, std::function<std::vector<ObjectPtr>()> collect) {
  state_->sets[name].collect = std::move(collect);
  state_->arm(name);
}

}  // namespace lotse::agent
