// A runtime of records: sandboxes and containers that the test starts, ends and counts. Answers come by post.
#pragma once
#include <map>

#include "core/agent/runtime.h"
#include "core/base/loop.h"

namespace lotse::agent {

class FakeRuntime : public Runtime {
 public:
  struct Container {
    std::string sandbox, name, state = "created";
    int attempt = 0, exit_code = 0;
    int64_t started = 0, finished = 0;
    MsgValue request;
  };
  struct Sandbox {
    std::string uid, state = "ready", ip;
    int attempt = 0;
    MsgValue labels;
  };
  std::map<std::string, Sandbox> sandboxes;
  std::map<std::string, Container> containers;
  std::map<std::string, std::string> images;  // name -> id
  std::vector<std::string> log;               // "sandbox_run", "container_stop web-0 5", ...
  std::vector<MsgValue> image_list;           // what it says of its images
  std::map<std::string, MsgValue> stats;      // by container
  std::string name = "fake";
  Status pull_answer, sandbox_answer;
  Loop& loop;

  explicit FakeRuntime(Loop& l) : loop(l) {}

  void call(Call call, MsgValue request, Duration, Answer answer) override {
    loop.post([this, call, request = std::move(request), answer = std::move(answer)] { answer(run(call, request)); });
  }
  Result<StreamPtr> open(Open kind, MsgValue request, SinkPtr sink) override {
    if (kind == Open::kEvents) events_ = sink;
    if (kind == Open::kImagePull) {
      std::string image(request["image"].as_text());
      log.push_back("pull " + image);
      if (pull_answer.ok()) images[image] = "sha256:" + image;
      loop.post([sink, status = pull_answer] { sink->on_end(status, Bytes()); });
    }
    if (kind == Open::kExec) {
      loop.post([sink] {
        sink->on_item(kStdout, Bytes(std::string_view("hello")));
        sink->on_end(Status(), Bytes(MsgValue::map({{"exit_code", 3}}).encode()));
      });
    }
    struct Quiet : Stream {
      void grant(uint64_t) override {}
      void cancel() override {}
    };
    return StreamPtr(std::make_unique<Quiet>());
  }
  // The newest container of that name ends.
  void exit(const std::string& name, int code) {
    for (auto& [id, c] : containers) {
      if (c.name == name && c.state == "running") end(id, code);
    }
  }
  void end(const std::string& id, int code) {
    auto& c = containers[id];
    c.state = "exited";
    c.exit_code = code;
    c.finished = loop.clock().now().time_since_epoch().count();
    tell("container", id, c.sandbox, "exited");
  }
  int running() const {
    return static_cast<int>(std::count_if(containers.begin(), containers.end(), [](const auto& c) { return c.second.state == "running"; }));
  }
  void tell(const char* kind, const std::string& id, const std::string& sandbox, const char* what) {
    if (events_) events_->on_item(0, Bytes(MsgValue::map({{"kind", kind}, {"id", id}, {"sandbox", sandbox}, {"event", what}, {"time", 0}}).encode()));
  }

 private:
  MsgValue status(const std::string& id, const Container& c) const {
    return MsgValue::map({{"id", id}, {"sandbox", c.sandbox}, {"name", c.name}, {"attempt", c.attempt}, {"state", c.state}, {"created", 1},
                          {"started", c.started}, {"finished", c.finished}, {"exit_code", c.exit_code}, {"image_id", c.request["image"]}});
  }
  MsgValue status(const std::string& id, const Sandbox& s) const {
    return MsgValue::map({{"id", id}, {"uid", s.uid}, {"attempt", s.attempt}, {"state", s.state}, {"created", 1},
                          {"ips", MsgValue::array({s.ip})}, {"labels", s.labels}});
  }
  Result<MsgValue> run(Call call, const MsgValue& r) {
    std::string id(r["id"].as_text());
    auto none = Status(Reason::kNotFound, "there is no " + id);
    switch (call) {
      case Call::kInfo: return MsgValue::map({{"name", name}, {"version", "1"}, {"ready", true}});
      case Call::kSandboxRun: {
        log.push_back("sandbox_run");
        if (!sandbox_answer.ok()) return sandbox_answer;
        std::string made = "s" + std::to_string(++next_);
        sandboxes[made] = {std::string(r["uid"].as_text()), "ready", "10.244.0." + std::to_string(next_), static_cast<int>(r["attempt"].as_int()), r["labels"]};
        return MsgValue::map({{"id", made}, {"ips", MsgValue::array({sandboxes[made].ip})}});
      }
      case Call::kSandboxStop:
        log.push_back("sandbox_stop");
        if (!sandboxes.contains(id)) return none;
        sandboxes[id].state = "notready";
        for (auto& [cid, c] : containers) {
          if (c.sandbox == id && c.state == "running") end(cid, 137);
        }
        return MsgValue::map();
      case Call::kSandboxRemove: log.push_back("sandbox_remove"); sandboxes.erase(id); return MsgValue::map();
      case Call::kSandboxStatus: return sandboxes.contains(id) ? Result<MsgValue>(status(id, sandboxes[id])) : none;
      case Call::kSandboxList: {
        auto items = MsgValue::array();
        for (auto& [sid, s] : sandboxes) {
          if (!r.has("uid") || r["uid"].as_text() == s.uid) items.push(status(sid, s));
        }
        return MsgValue::map({{"items", items}});
      }
      case Call::kContainerCreate: {
        std::string made = std::string(r["name"].as_text()) + "-" + std::to_string(r["attempt"].as_int());
        log.push_back("container_create " + made);
        containers[made] = {std::string(r["sandbox"].as_text()), std::string(r["name"].as_text()), "created", static_cast<int>(r["attempt"].as_int()), 0, 0, 0, r};
        return MsgValue::map({{"id", made}});
      }
      case Call::kContainerStart: {
        auto& c = containers[id];
        if (c.state == "created") c.state = "running";
        c.started = loop.clock().now().time_since_epoch().count();
        return MsgValue::map();
      }
      case Call::kContainerStop:
        log.push_back("container_stop " + id + " " + std::to_string(r["timeout_ns"].as_int() / 1000000000));
        if (containers[id].state == "running") end(id, 143);
        return MsgValue::map();
      case Call::kContainerRemove: log.push_back("container_remove " + id); containers.erase(id); return MsgValue::map();
      case Call::kContainerStatus: return containers.contains(id) ? Result<MsgValue>(status(id, containers[id])) : none;
      case Call::kContainerList: {
        auto items = MsgValue::array();
        for (auto& [cid, c] : containers) {
          if (!r.has("sandbox") || r["sandbox"].as_text() == c.sandbox) items.push(status(cid, c));
        }
        return MsgValue::map({{"items", items}});
      }
      case Call::kImageStatus: {
        auto it = images.find(std::string(r["image"].as_text()));
        if (it == images.end()) return Status(Reason::kNotFound, "no such image");
        return MsgValue::map({{"id", it->second}, {"bytes", 1000}});
      }
      case Call::kImageList: return MsgValue::map({{"items", MsgValue(MsgValue::Array(image_list.begin(), image_list.end()))}});
      case Call::kImageFs: return MsgValue::map({{"used_bytes", 1000}});
      case Call::kImageRemove:
        log.push_back("image_remove " + std::string(r["image"].as_text()));
        std::erase_if(image_list, [&](const MsgValue& i) { return i["id"].as_text() == r["image"].as_text(); });
        return MsgValue::map();
      case Call::kContainerStats: {
        auto items = MsgValue::array();
        for (auto& [cid, item] : stats) {
          auto one = item;
          one.set("id", cid);
          items.push(std::move(one));
        }
        return MsgValue::map({{"items", items}});
      }
      case Call::kExecSync: return MsgValue::map({{"exit_code", 0}});
      default: return MsgValue::map();
    }
  }
  SinkPtr events_;
  int next_ = 0;
};

}  // namespace lotse::agent
