#include "core/agent/images.h"

#include <dirent.h>

#include <fmt/format.h>

#include "core/agent/image_credentials.h"
#include "core/agent/image_use.h"
#include "core/agent/pull_attempts.h"
#include "core/base/log.h"

namespace lotse::agent {
namespace {

constexpr size_t kPullsMost = 2, kNodeImagesMost = 50;
constexpr Duration kShort = std::chrono::seconds(30), kImport = std::chrono::minutes(10);

// Collects a pull's end; progress is not shown to anybody.
// The runtime's threads only post: what the sink has is the loop's.
class PullSink : public StreamSink, public std::enable_shared_from_this<PullSink> {
 public:
  PullSink(Loop& loop, std::function<void(Status)> done) : loop_(loop), done_(std::move(done)) {}
  void on_item(uint32_t, Bytes item) override {
    loop_.post([self = shared_from_this(), size = item.size()] {
      if (self->stream_) self->stream_->grant(std::max<size_t>(size, 1));
    });
  }
  void on_end(Status status, Bytes) override {
    loop_.post([self = shared_from_this(), status] {
      self->stream_.reset();
      if (auto done = std::exchange(self->done_, nullptr)) done(status);
    });
  }
  void hold(StreamPtr stream) {  // [loop]
    stream_ = std::move(stream);
    stream_->grant(kStreamWindow);
  }

 private:
  Loop& loop_;
  std::function<void(Status)> done_;
  StreamPtr stream_;
};

ImageInfo info_of(const MsgValue& v) { return {std::string(v["id"].as_text()), std::string(v["user"].as_text())}; }

std::string took(Duration d) {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return ms < 1000 ? fmt::format("{}ms", ms) : fmt::format("{}.{:03}s", ms / 1000, ms % 1000);
}

}  // namespace

struct Images::State : std::enable_shared_from_this<State> {
  const Config& config;
  Runtime& runtime;
  Loop& loop;
  WorkerPool& pool;
  struct Job {
    Wanted wanted;
    Said said;
    Done done;
    SteadyTime asked{}, begun{};
    std::vector<PullAttempt> attempts;  // the first is the next
    std::string mirrors_said;           // why they did not do
  };
  std::deque<std::shared_ptr<Job>> waiting;
  size_t pulling = 0;
  std::map<std::string, SteadyTime> used;  // by image id: last seen in use

  State(const Config& c, Runtime& r, Loop& l, WorkerPool& p) : config(c), runtime(r), loop(l), pool(p) {}

  void call(Call what, MsgValue request, Duration timeout, Answer answer) {
    call_on(loop, runtime, what, std::move(request), timeout,
            [weak = weak_from_this(), answer = std::move(answer)](Result<MsgValue> result) {
              if (auto self = weak.lock()) answer(std::move(result));
            });
  }

  void fail(Job& job, std::string reason, std::string message) {
    if (reason != "ErrImagePull") job.said(true, reason == "InvalidImageName" ? "InspectFailed" : reason, message);
    job.said(true, "Failed", "Error: " + reason);
    job.done(std::nullopt, {std::move(reason), std::move(message)});
  }

  void present(Job& job, const MsgValue& status) {
    auto info = info_of(status);
    used[info.id] = loop.clock().steady();
    job.done(std::move(info), {});
  }

  void look(std::shared_ptr<Job> job) {
    call(Call::kImageStatus, MsgValue::map({{"image", job->wanted.image}}), kShort,
         [this, job](Result<MsgValue> answer) {
           bool missing = !answer.ok() && answer.status().reason == Reason::kNotFound;
           if (!answer.ok() && !missing) return fail(*job, "ImageInspectError", answer.status().message);
           if (!missing && job->wanted.policy != Pull::kAlways) {
             job->said(false, "Pulled", "Container image \"" + job->wanted.image + "\" already present on machine");
             return present(*job, *answer);
           }
           if (job->wanted.policy == Pull::kNever) {
             return fail(*job, "ErrImageNeverPull",
                         "Container image \"" + job->wanted.image + "\" is not present with pull policy of Never");
           }
           waiting.push_back(job);
           next();
         });
  }

  void next() {
    if (pulling >= kPullsMost || waiting.empty()) return;
    ++pulling;
    auto job = std::move(waiting.front());
    waiting.pop_front();
    job->begun = loop.clock().steady();
    job->said(false, "Pulling", "Pulling image \"" + job->wanted.image + "\"");
    // Certificates and passwords of registries are files.
    auto read = [&target = loop, weak = weak_from_this(), job, registries = config.registries] {
      auto attempts = std::make_shared<std::vector<PullAttempt>>(pull_attempts(job->wanted.image, job->wanted.credentials, registries));
      target.post([weak, job, attempts] {
        auto self = weak.lock();
        if (!self) return;
        job->attempts = std::move(*attempts);
        self->pull(job);
      });
    };
    if (!pool.submit(read)) pulled(job, Status(Reason::kServiceUnavailable, "the node is too busy"));
  }

  void pull(std::shared_ptr<Job> job) {
    const PullAttempt attempt = job->attempts.front();
    if (!attempt.problem.ok()) return pulled(job, attempt.problem);
    auto request = MsgValue::map({{"image", job->wanted.image},
                                  {"pod", MsgValue::map({{"namespace", job->wanted.ns}, {"name", job->wanted.pod}})}});
    if (!attempt.from.is_nil()) request.set("from", attempt.from);
    if (!attempt.auth.is_nil()) request.set("auth", attempt.auth);
    auto sink = std::make_shared<PullSink>(loop, [weak = weak_from_this(), job](Status status) {
      if (auto self = weak.lock()) self->pulled(job, status);
    });
    auto stream = runtime.open(Open::kImagePull, std::move(request), sink);
    if (!stream.ok()) {
      loop.post([weak = weak_from_this(), job, status = stream.status()] {
        if (auto self = weak.lock()) self->pulled(job, status);
      });
      return;
    }
    sink->hold(std::move(*stream));
  }

  void pulled(std::shared_ptr<Job> job, const Status& status) {
    if (!status.ok() && !job->attempts.empty()) {
      const PullAttempt tried = std::move(job->attempts.front());
      job->attempts.erase(job->attempts.begin());
      if (tried.mirror) job->mirrors_said += fmt::format("; before, mirror {}: {}", tried.server, status.message);
      if (!job->attempts.empty()) return pull(job);
    }
    --pulling;
    next();
    if (!status.ok()) {
      auto text = "Failed to pull image \"" + job->wanted.image + "\": " + status.message + job->mirrors_said;
      job->said(true, "Failed", text);
      return fail(*job, "ErrImagePull", status.message + job->mirrors_said);
    }
    call(Call::kImageStatus, MsgValue::map({{"image", job->wanted.image}}), kShort,
         [this, job](Result<MsgValue> answer) {
           if (!answer.ok()) return fail(*job, "ImageInspectError", answer.status().message);
           auto now = loop.clock().steady();
           job->said(false, "Pulled",
                     fmt::format("Successfully pulled image \"{}\" in {} ({} including waiting). Image size: {} bytes.",
                                 job->wanted.image, took(now - job->begun), took(now - job->asked),
                                 (*answer)["bytes"].as_int()));
           present(*job, *answer);
         });
  }

  void import_files(std::shared_ptr<std::vector<std::string>> files, size_t index, std::function<void()> done) {
    if (index >= files->size()) return done();
    auto path = (*files)[index];
    call(Call::kImageImport, MsgValue::map({{"path", path}}), kImport,
         [this, files, index, path, done](Result<MsgValue> answer) {
           if (answer.ok())
             log::info("agent.image_imported", "images were taken from a file", {{"path", path}});
           else
             log::warn("agent.image_import_failed", answer.status().message, {{"path", path}});
           import_files(files, index + 1, done);
         });
  }

  void remove_next(std::shared_ptr<std::vector<std::pair<std::string, int64_t>>> victims, int64_t to_free, int removed,
                   std::function<void(int)> done) {
    if (victims->empty() || to_free <= 0) return done(removed);
    auto [id, bytes] = victims->front();
    victims->erase(victims->begin());
    call(Call::kImageRemove, MsgValue::map({{"image", id}}), kShort,
         [this, victims, to_free, removed, done, id = id, bytes = bytes](Result<MsgValue> answer) {
           if (answer.ok()) {
             used.erase(id);
             log::info("agent.image_removed", "an image that nothing used was removed",
                       {{"image", id}, {"bytes", bytes}});
           }
           remove_next(victims, answer.ok() ? to_free - bytes : to_free, removed + (answer.ok() ? 1 : 0), done);
         });
  }

  // Oldest use first; never what is pinned, in use, or was seen first less than age_min ago.
  void choose(const MsgValue& images, const MsgValue& containers, int64_t to_free, std::function<void(int)> done) {
    auto now = loop.clock().steady();
    std::vector<std::tuple<SteadyTime, std::string, int64_t>> order;
    for (const auto& image : image_uses(images, containers, config.pause_image)) {
      auto [it, fresh] = used.try_emplace(image.id, now);
      if (!image.containers.empty()) it->second = now;
      if (fresh || !image.removable() || now - it->second < config.images.age_min) continue;
      order.emplace_back(it->second, image.id, image.bytes);
    }
    std::sort(order.begin(), order.end());
    auto victims = std::make_shared<std::vector<std::pair<std::string, int64_t>>>();
    for (auto& [when, id, bytes] : order) victims->emplace_back(id, bytes);
    remove_next(victims, to_free, 0, std::move(done));
  }
};

Images::Images(const Config& config, Runtime& runtime, Loop& loop, WorkerPool& pool)
    : state_(std::make_shared<State>(config, runtime, loop, pool)) {}
Images::~Images() = default;

void Images::ensure(Wanted wanted, Said said, Done done) {
  auto job = std::make_shared<State::Job>(
      State::Job{std::move(wanted), std::move(said), std::move(done), state_->loop.clock().steady()});
  if (auto name = normal_image(job->wanted.image); !name.ok()) {
    auto message = "Failed to apply default image tag \"" + job->wanted.image + "\": " + name.status().message;
    state_->loop.post([state = state_, job, message] { state->fail(*job, "InvalidImageName", message); });
    return;
  }
  state_->look(std::move(job));
}

void Images::import_all(std::function<void()> done) {
  auto& s = *state_;
  auto dir = s.config.image_dir.empty() ? s.config.data_dir + "/images" : s.config.image_dir;
  auto files = std::make_shared<std::vector<std::string>>();
  if (DIR* d = opendir(dir.c_str())) {
    while (auto* e = readdir(d)) {
      std::string name = e->d_name;
      if (name.size() > 4 && name.ends_with(".tar") && name[0] != '.') files->push_back(dir + "/" + name);
    }
    closedir(d);
  }
  std::sort(files->begin(), files->end());
  s.import_files(files, 0, std::move(done));
}

void Images::list(std::function<void(std::vector<MsgValue>)> done) {
  state_->call(Call::kImageList, MsgValue::map(), kShort, [done = std::move(done)](Result<MsgValue> answer) {
    std::vector<MsgValue> out;
    if (answer.ok()) out = (*answer)["items"].items();
    std::sort(out.begin(), out.end(),
              [](const MsgValue& a, const MsgValue& b) { return a["bytes"].as_int() > b["bytes"].as_int(); });
    if (out.size() > kNodeImagesMost) out.resize(kNodeImagesMost);
    done(std::move(out));
  });
}

void Images::collect(int used_percent, int target, std::function<void(int)> done) {
  auto self = state_;
  self->call(Call::kImageFs, MsgValue::map(), kShort, [self, used_percent, target, done](Result<MsgValue> fs) {
    // What the images take is what can be freed; the share to free is counted of the whole disk by its use.
    int64_t bytes = fs.ok() ? (*fs)["used_bytes"].as_int() : 0;
    int64_t to_free = used_percent > target && used_percent > 0
                          ? std::max<int64_t>(bytes * (used_percent - target) / used_percent, 1)
                          : 0;
    self->call(Call::kContainerList, MsgValue::map(), kShort, [self, to_free, done](Result<MsgValue> containers) {
      if (!containers.ok()) return done(0);
      self->call(Call::kImageList, MsgValue::map(), kShort,
                 [self, to_free, done, in_use = *containers](Result<MsgValue> images) {
                   if (!images.ok()) return done(0);
                   self->choose(*images, in_use, to_free, done);
                 });
    });
  });
}

}  // namespace lotse::agent
