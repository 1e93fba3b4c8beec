// HttpRuntime: the functions of the runtime kind, each a step of the engine or a stream.
#pragma once
#include <memory>

#include "lotse/runtime.hpp"
#include "plugins/engine_http/http_engine.h"

namespace lotse::engine_http {

class HttpRuntime : public sdk::Runtime {
 public:
  HttpRuntime(const sdk::Host& host, std::unique_ptr<HttpEngine> engine)
      : Runtime(host), engine_owned_(std::move(engine)), engine_(*engine_owned_) {}

  void info(const Msg&, sdk::Call) override;
  void sandbox_run(const Msg&, sdk::Call) override;
  void sandbox_stop(const Msg&, sdk::Call) override;
  void sandbox_remove(const Msg&, sdk::Call) override;
  void sandbox_status(const Msg&, sdk::Call) override;
  void sandbox_list(const Msg&, sdk::Call) override;
  void container_create(const Msg&, sdk::Call) override;
  void container_start(const Msg&, sdk::Call) override;
  void container_stop(const Msg&, sdk::Call) override;
  void container_remove(const Msg&, sdk::Call) override;
  void container_status(const Msg&, sdk::Call) override;
  void container_list(const Msg&, sdk::Call) override;
  void container_update(const Msg&, sdk::Call) override;
  void container_stats(const Msg&, sdk::Call) override;
  void container_reopen_log(const Msg&, sdk::Call) override;
  void exec_sync(const Msg&, sdk::Call) override;
  void image_import(const Msg&, sdk::Call) override;
  void image_status(const Msg&, sdk::Call) override;
  void image_list(const Msg&, sdk::Call) override;
  void image_remove(const Msg&, sdk::Call) override;
  void image_fs(const Msg&, sdk::Call) override;
  sdk::ProducerPtr exec(const Msg&) override;
  sdk::ProducerPtr attach(const Msg&) override;
  sdk::ProducerPtr port_forward(const Msg&) override;
  sdk::ProducerPtr events(const Msg&) override;
  sdk::ProducerPtr image_pull(const Msg&) override;

 private:
  std::unique_ptr<HttpEngine> engine_owned_;
  HttpEngine& engine_;
};

}  // namespace lotse::engine_http
