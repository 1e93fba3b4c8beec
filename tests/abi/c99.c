/* The ABI is C99: this file has only to compile. */
#include "lotse/abi/entry.h"
#include "lotse/abi/proxy.h"
#include "lotse/abi/runtime.h"
#include "lotse/abi/scheduler.h"
#include "lotse/abi/scheduler_claim.h"
#include "lotse/abi/state_backup.h"
#include "lotse/abi/state_current.h"
#include "lotse/abi/state_watch.h"
#include "lotse/abi/transport.h"

int lotse_abi_c99_size_of_entry(void);
int lotse_abi_c99_size_of_entry(void) { return (int)sizeof(lotse_plugin); }
