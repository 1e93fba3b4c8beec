#include "plugins/runtime_containerd/image_import.h"

#include <time.h>

#include <future>

#include "lotse/runtime_containerd/containerd.pb.h"
#include "plugins/container_engine/image_archive.h"
#include "plugins/container_engine/json.h"
#include "plugins/runtime_containerd/content_writer.h"
#include "plugins/runtime_containerd/cri_answer.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kReleaseTimeoutNs = 10'000 * kMs;
constexpr size_t kPiece = 1 << 20;
enum WriteAction { kWrite = 1, kCommit = 2 };
using Labels = std::vector<std::pair<std::string, std::string>>;

class Import {
 public:
  Import(Engine& engine, const TarIndex& tar, int64_t deadline_ns, const std::function<bool()>& cancelled)
      : engine_(engine), tar_(tar), deadline_(deadline_ns), cancelled_(cancelled), lease_(engine.fresh_name("import")) {
    wait_until_ready();
    ctrd::CreateLeaseRequest request;
    request.set_id(lease_);
    // Should we be killed before the end, containerd forgets the lease by itself.
    (*request.mutable_labels())["containerd.io/gc.expire"] = expiry();
    engine_.client.wait<ctrd::Empty>(method::kLeaseCreate, request, {deadline_, {}}).take();
    snapshotter_ = snapshotter_of_cri();
  }
  ~Import() {
    ctrd::DeleteLeaseRequest request;
    request.set_id(lease_);
    (void)engine_.client.wait<ctrd::Empty>(method::kLeaseDelete, request, {Reactor::now_ns() + kReleaseTimeoutNs, {}});
  }

  void take(const ArchiveImage& image) {
    for (auto& layer : image.layers) store(layer, {});
    auto chain = chain_ids(image.diff_ids);
    Labels config_labels;
    if (!chain.empty()) config_labels.emplace_back("containerd.io/gc.ref.snapshot." + snapshotter_, chain.back());
    store(image.config, config_labels);
    Labels references = {{"containerd.io/gc.ref.content.config", image.config.digest}};
    for (size_t i = 0; i < image.layers.size(); i++) {
      references.emplace_back("containerd.io/gc.ref.content.l." + std::to_string(i), image.layers[i].digest);
    }
    store(image.manifest, references);
    for (size_t i = 0; i < chain.size(); i++)
      unpack(image.layers[i], image.diff_ids[i], i > 0 ? chain[i - 1] : "", chain[i]);
    for (auto& image_name : image.names) name(image_name, image.manifest);
  }

  // CRI takes a new image up by an event of its own.
  void wait_for_cri(const std::string& image, const std::string& id) {
    cri::ImageStatusRequest request;
    request.mutable_image()->set_image(image);
    for (int64_t delay = kMs; Reactor::now_ns() < deadline_; delay = std::min(2 * delay, 200 * kMs)) {
      auto known = engine_.client.wait<cri::ImageStatusResponse>(method::kImageStatus, request, limits()).take();
      if (known.image().id() == id) return;
      pause(delay);
    }
    throw sdk::Failure(LOTSE_DEADLINE, "containerd has not taken up " + image + " in time");
  }

 private:
  CallLimits limits() const {
    if (cancelled_()) throw sdk::Failure(LOTSE_CANCELLED, "cancelled");
    return {deadline_, lease_};
  }

  static std::string expiry() {
    time_t then = time(nullptr) + kImportTimeoutNs / (1000 * kMs) + 3600;
    tm utc{};
    gmtime_r(&then, &utc);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
  }

  void wait_until_ready() {
    auto up = std::make_shared<std::promise<Verdict>>();
    engine_.reactor.post([&engine = engine_, deadline = deadline_, up] {
      engine.supervisor.when_ready(deadline, [up](Verdict verdict) { up->set_value(std::move(verdict)); });
    });
    Verdict verdict = up->get_future().get();
    if (!verdict.ok()) verdict.failure().raise();
  }

  void pause(int64_t ns) {
    std::promise<void> over;
    engine_.reactor.post([&] { engine_.reactor.timer(ns, [&] { over.set_value(); }); });
    over.get_future().get();
  }

  std::string snapshotter_of_cri() {
    cri::StatusRequest request;
    request.set_verbose(true);
    auto status = engine_.client.wait<cri::StatusResponse>(method::kStatus, request, limits()).take();
    auto config = status.info().find("config");
    std::string name;
    if (config != status.info().end()) name = Json::parse(config->second)["containerd"]["snapshotter"].text();
    return !name.empty() ? name : !engine_.settings.snapshotter.empty() ? engine_.settings.snapshotter : "overlayfs";
  }

  void store(const ArchiveBlob& blob, const Labels& labels) {
    ctrd::ContentInfoRequest query;
    query.set_digest(blob.digest);
    auto known = engine_.client.wait<ctrd::ContentInfoResponse>(method::kContentInfo, query, limits());
    if (known.ok()) return label(blob.digest, labels);
    if (known.code() != LOTSE_NOT_FOUND) known.failure().raise();
    ContentWriter writer(engine_.client, limits());
    ctrd::WriteContentRequest piece;
    piece.set_ref(lease_ + "-" + blob.digest);
    piece.set_total(static_cast<int64_t>(blob.size));
    piece.set_expected(blob.digest);
    piece.set_action(kWrite);
    for (uint64_t at = 0; at < blob.size; at += kPiece) {
      limits();
      piece.set_offset(static_cast<int64_t>(at));
      piece.set_data(blob.entry != nullptr ? tar_.read(*blob.entry, at, kPiece) : blob.bytes.substr(at, kPiece));
      auto written = writer.exchange(piece);
      if (!written.ok() && written.code() == LOTSE_EXISTS) return label(blob.digest, labels);
      std::move(written).take();
    }
    piece.set_action(kCommit);
    piece.set_offset(static_cast<int64_t>(blob.size));
    piece.clear_data();
    for (auto& [key, value] : labels) (*piece.mutable_labels())[key] = value;
    auto committed = writer.exchange(piece);
    if (committed.ok()) return;
    if (committed.code() == LOTSE_EXISTS) return label(blob.digest, labels);
    if (committed.code() == LOTSE_CONFLICT) {  // containerd has summed it up, and it is not what it was said to be
      throw sdk::Failure(LOTSE_INVALID, "the image archive is wrong: " + committed.failure().message);
    }
    committed.failure().raise();
  }

  void label(const std::string& digest, const Labels& labels) {
    if (labels.empty()) return;
    ctrd::ContentUpdateRequest request;
    request.mutable_info()->set_digest(digest);
    for (auto& [key, value] : labels) {
      (*request.mutable_info()->mutable_labels())[key] = value;
      request.mutable_update_mask()->add_paths("labels." + key);
    }
    engine_.client.wait<ctrd::Empty>(method::kContentUpdate, request, limits()).take();
  }

  void unpack(const ArchiveBlob& layer, const std::string& diff_id, const std::string& parent,
              const std::string& chain) {
    ctrd::SnapshotKeyRequest which;
    which.set_snapshotter(snapshotter_);
    which.set_key(chain);
    auto known = engine_.client.wait<ctrd::Empty>(method::kSnapshotStat, which, limits());
    if (known.ok()) return;
    if (known.code() != LOTSE_NOT_FOUND) known.failure().raise();
    ctrd::PrepareSnapshotRequest prepare;
    prepare.set_snapshotter(snapshotter_);
    prepare.set_key(engine_.fresh_name("extract") + " " + chain);
    prepare.set_parent(parent);
    auto mounts =
        engine_.client.wait<ctrd::PrepareSnapshotResponse>(method::kSnapshotPrepare, prepare, limits()).take();
    auto done = apply(layer, diff_id, mounts);
    if (done.ok()) {
      ctrd::CommitSnapshotRequest commit;
      commit.set_snapshotter(snapshotter_);
      commit.set_name(chain);
      commit.set_key(prepare.key());
      auto committed = engine_.client.wait<ctrd::Empty>(method::kSnapshotCommit, commit, limits());
      if (committed.ok()) return;
      if (committed.code() != LOTSE_EXISTS) done = committed.failure();
    }
    which.set_key(prepare.key());
    (void)engine_.client.wait<ctrd::Empty>(method::kSnapshotRemove, which, {Reactor::now_ns() + kReleaseTimeoutNs, {}});
    if (!done.ok()) done.failure().raise();
  }

  Verdict apply(const ArchiveBlob& layer, const std::string& diff_id, const ctrd::PrepareSnapshotResponse& mounts) {
    ctrd::ApplyRequest request;
    request.mutable_diff()->set_media_type(layer.media_type);
    request.mutable_diff()->set_digest(layer.digest);
    request.mutable_diff()->set_size(static_cast<int64_t>(layer.size));
    *request.mutable_mounts() = mounts.mounts();
    auto applied = engine_.client.wait<ctrd::ApplyResponse>(method::kDiffApply, request, limits());
    if (!applied.ok()) return applied.failure();
    if (applied->applied().digest() == diff_id) return Done{};
    return Failure{LOTSE_INVALID, "the image archive is wrong: a layer is not what the configuration says: " + diff_id};
  }

  void name(const std::string& image_name, const ArchiveBlob& manifest) {
    ctrd::ImageRequest request;
    auto& image = *request.mutable_image();
    image.set_name(image_name);
    image.mutable_target()->set_media_type(manifest.media_type);
    image.mutable_target()->set_digest(manifest.digest);
    image.mutable_target()->set_size(static_cast<int64_t>(manifest.size));
    (*image.mutable_labels())[kPinnedLabel] = "pinned";
    auto made = engine_.client.wait<ctrd::ImageResponse>(method::kImageCreate, request, limits());
    if (made.ok()) return;
    if (made.code() != LOTSE_EXISTS) made.failure().raise();
    request.mutable_update_mask()->add_paths("target");
    request.mutable_update_mask()->add_paths("labels." + std::string(kPinnedLabel));
    engine_.client.wait<ctrd::ImageResponse>(method::kImageUpdate, request, limits()).take();
  }

  Engine& engine_;
  const TarIndex& tar_;
  const int64_t deadline_;
  const std::function<bool()>& cancelled_;
  const std::string lease_;
  std::string snapshotter_;
};

}  // namespace

std::vector<std::string> import_archive(Engine& engine, const std::string& path, int64_t deadline_ns,
                                        const std::function<bool()>& cancelled) {
  TarIndex tar(path);
  std::vector<ArchiveImage> images = images_of(tar);
  Import import(engine, tar, deadline_ns, cancelled);
  std::vector<std::string> names;
  for (auto& image : images) {
    import.take(image);
    for (auto& name : image.names) import.wait_for_cri(name, image.config.digest);
    names.insert(names.end(), image.names.begin(), image.names.end());
  }
  return names;
}

}  // namespace lotse::runtime_containerd
