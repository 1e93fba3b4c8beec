#include "core/api/deletion.h"
#include "core/api/list_query.h"
#include "core/api/output.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

constexpr size_t kAtOnce = 32;  // commits under way; they go to the backend as one batch

struct Collection : std::enable_shared_from_this<Collection> {
  CallPtr call;
  DeleteOptions options;
  std::vector<ObjectPtr> items;
  std::mutex mutex;
  size_t next = 0, under_way = 0;
  Status failed;

  void run() {
    while (true) {
      ObjectPtr item;
      {
        std::lock_guard lock(mutex);
        if (next == items.size() || under_way == kAtOnce || !failed.ok()) break;
        item = items[next++];
        ++under_way;
      }
      const store::Key key{call->stored(), item->header().ns, item->header().name};
      delete_object(call, key, options, [self = shared_from_this()](Result<Edited> r) { self->done(r.status()); });
    }
    finish();
  }

  void done(Status status) {
    bool more = false;
    {
      std::lock_guard lock(mutex);
      --under_way;
      if (!status.ok() && status.reason != Reason::kNotFound && failed.ok()) failed = std::move(status);
      more = failed.ok() && next < items.size();
    }
    if (more) return call->server.loop().post([self = shared_from_this()] { self->run(); });
    finish();
  }

  void finish() {
    {
      std::lock_guard lock(mutex);
      if (under_way > 0 || (failed.ok() && next < items.size()) || std::exchange(replied, true)) return;
    }
    if (!failed.ok()) return call->fail(failed);
    ListHead head;
    head.resource_version = std::to_string(call->server.store().revision());
    ListBody body(*call);
    for (const auto& item : items) body.add(item);
    call->reply(body.response(head));
  }
  bool replied = false;
};

}  // namespace

void remove_collection(const CallPtr& call) {
  auto query = read_list(*call);
  if (!query.ok()) return call->fail(query.status());
  auto options = read_delete_options(*call);
  if (!options.ok()) return call->fail(options.status());
  auto page = call->server.store().list(*query);
  if (!page.ok()) return call->fail(page.status());
  auto all = std::make_shared<Collection>();
  all->call = call;
  all->options = *std::move(options);
  all->items = std::move(page->items);
  all->run();
}

}  // namespace lotse::api
