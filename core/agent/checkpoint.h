// Checkpoint: named sets of objects on disk that outlive kill -9 and the master: DIR/agent/checkpoint-NAME, 0600,
// sealed with the node's key. Each set is written whole, after a short while in which more changes may gather, by
// rename.
//
// The file: security::seal(key, "checkpoint/NAME", MessagePack [version 1, [[resourceVersion, canonical JSON] ...]]).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/loop.h"
#include "core/object/object.h"

namespace lotse::agent {

class Checkpoint {
 public:
  Checkpoint(std::string dir, std::string key, Loop& loop, WorkerPool& pool);
  ~Checkpoint();
  // [init] What was written last; empty if there is none. A file that cannot be read is logged and counts as none.
  std::vector<ObjectPtr> read(const std::string& name) const;
  // [loop] `collect` is asked for the set when it is time to write.
  void write_soon(const std::string& name, std::function<std::vector<ObjectPtr>()> collect);

  static std::string encode(const std::vector<ObjectPtr>& objects);
  static Result<std::vector<ObjectPtr>> decode(std::string_view bytes);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::agent
