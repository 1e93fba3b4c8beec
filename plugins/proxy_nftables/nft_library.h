// NftLibrary: libnftables, which turns text into one netlink transaction. Not thread-safe: one call at a time. [worker]
#pragma once
#include <string>

struct nft_ctx;

namespace lotse::proxy_nftables {

class NftLibrary {
 public:
  NftLibrary();  // throws sdk::Failure(LOTSE_UNSUPPORTED) where it cannot work
  ~NftLibrary();
  NftLibrary(const NftLibrary&) = delete;
  NftLibrary& operator=(const NftLibrary&) = delete;
  // All of it or nothing; throws sdk::Failure(LOTSE_UNAVAILABLE) with nftables' words. What it printed comes back.
  std::string run(const std::string& text);

 private:
  nft_ctx* context_;
};

}  // namespace lotse::proxy_nftables
