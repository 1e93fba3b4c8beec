#include "plugins/proxy_nftables/nft_library.h"

#include <nftables/libnftables.h>

#include "lotse/error.hpp"

namespace lotse::proxy_nftables {

NftLibrary::NftLibrary() : context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
  if (!context_) throw sdk::Failure(LOTSE_UNSUPPORTED, "libnftables could not be started");
  nft_ctx_buffer_output(context_);
  nft_ctx_buffer_error(context_);
  nft_ctx_output_set_flags(context_, NFT_CTX_OUTPUT_NUMERIC_ALL);
}

NftLibrary::~NftLibrary() { nft_ctx_free(context_); }

std::string NftLibrary::run(const std::string& text) {
  if (text.empty()) return {};
  const int code = nft_run_cmd_from_buffer(context_, text.c_str());
  std::string printed = nft_ctx_get_output_buffer(context_);
  const std::string words = nft_ctx_get_error_buffer(context_);
  if (code == 0) return printed;
  throw sdk::Failure(LOTSE_UNAVAILABLE, "nftables refused: " + words.substr(0, 600));
}

}  // namespace lotse::proxy_nftables
