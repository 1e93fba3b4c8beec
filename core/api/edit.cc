#include "core/api/edit.h"

#include "core/api/change.h"
#include "core/api/server_impl.h"
#include "core/api/service_addresses.h"

namespace lotse::api {
namespace {

constexpr int kAttemptsMax = 10;

struct EditRun : std::enable_shared_from_this<EditRun> {
  CallPtr call;
  store::Key key;
  MakeEdit how;
  std::function<void(Result<Edited>)> done;
  int attempt = 0;

  void run() {
    ++attempt;
    auto current = call->server.store().get(key);
    if (!current.ok()) return done(current.status());
    auto edit = how(*current);
    if (!edit.ok()) return done(edit.status());
    if (edit->what == Edit::What::kNothing) return done(Edited{Edit::What::kNothing, *current});
    store::Write write;
    write.key = key;
    write.expected = (*current)->revision();
    if (edit->what == Edit::What::kPut) {
      write.object = Object::from_value(std::move(edit->document), 0);
    } else {
      write.op = store::Op::kDelete;
    }
    commit(call, std::move(write), [self = shared_from_this(), what = edit->what, current = *current](Result<store::Committed> r) {
      if (!r.ok()) {
        if (r.status().reason != Reason::kConflict || self->attempt >= kAttemptsMax) return self->done(r.status());
        return self->call->server.loop().post([self] { self->run(); });
      }
      if (what == Edit::What::kRemove && !self->call->dry_run) self->call->server.addresses().release(self->key.resource, current);
      self->done(Edited{what, r->object ? r->object : current});
    });
  }
};

}  // namespace

void edit(const CallPtr& call, const store::Key& key, MakeEdit how, std::function<void(Result<Edited>)> done) {
  auto run = std::make_shared<EditRun>();
  run->call = call;
  run->key = key;
  run->how = std::move(how);
  run->done = std::move(done);
  run->run();
}

}  // namespace lotse::api
