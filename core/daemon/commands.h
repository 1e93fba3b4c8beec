// What `lotse` asks of a running daemon: status, kubeconfig, token create, image import, backup, restore, reload.
#pragma once
#include "core/daemon/base.h"
#include "core/daemon/control_socket.h"

namespace lotse::daemon {

class Master;
class Reload;
class Worker;

// [loop] master and worker may be null.
void add_commands(ControlSocket& socket, Base& base, Master* master, Worker* worker, Reload& reload);

}  // namespace lotse::daemon
