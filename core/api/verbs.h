// What there is to be done, a file each. Every function replies exactly once, now or later.
#pragma once
#include "core/api/call.h"

namespace lotse::api {

void get(const CallPtr& call);                // get.cc
void list(const CallPtr& call);               // list.cc
void watch(const CallPtr& call);              // watch.cc
void create(const CallPtr& call);             // create.cc
void update(const CallPtr& call);             // update.cc
void patch(const CallPtr& call);              // patch.cc
void remove(const CallPtr& call);             // delete.cc
void remove_collection(const CallPtr& call);  // delete_collection.cc
void non_resource(const CallPtr& call);       // paths.cc
void review(const CallPtr& call);             // reviews.cc: the four access reviews, TokenReview, SelfSubjectReview
// Subresources; false: not one of these.
bool subresource(const CallPtr& call);        // subresources.cc

void scale(const CallPtr& call);              // scale.cc
void bind(const CallPtr& call);               // binding.cc
void evict(const CallPtr& call);              // eviction.cc
void token_request(const CallPtr& call);      // token.cc
void finalize_namespace(const CallPtr& call); // finalize.cc
void log(const CallPtr& call);                // log.cc
void connect(const CallPtr& call);            // connect.cc: exec, attach, portforward
void proxy(const CallPtr& call);              // proxy.cc

}  // namespace lotse::api
