// Small files, whole: read with a limit, written so that after a power cut there is the old or the new content, never
// half of one. All of it blocks [worker], [init].
#pragma once
#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace lotse {

// kNotFound: there is none. kRequestEntityTooLarge: it has more than max bytes.
Result<std::string> read_file(const std::string& path, size_t max = 16 * 1024 * 1024);
// A temporary file beside it, fsync, rename, fsync of the directory. The mode holds from the first byte on.
Status write_file_atomically(const std::string& path, std::string_view bytes, mode_t mode = 0600);
// The directory and those above it that are missing get `mode`; one that exists is left as it is.
Status make_dirs(const std::string& path, mode_t mode = 0700);
// Also when it is not there. kept durable as above.
Status remove_file(const std::string& path);
// Whether group or others have any right to it; false where it is not there.
bool is_open_to_others(const std::string& path);
// A Status for errno as left by a system call: "open /a/b: No such file or directory".
Status errno_status(std::string_view action, std::string_view path, int error);

}  // namespace lotse
