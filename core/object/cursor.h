// Cursor: reads canonical JSON text (as json::write makes it: no space) in one pass without building a tree. For the
// few fields that are asked for all the time. What does not look as expected sets failed() and ends every loop.
//   for (std::string_view key; at.next_member(&key);) { if (key == "name") name = at.string(); else at.skip(); }
#pragma once
#include <string>
#include <string_view>

namespace lotse {

class Cursor {
 public:
  explicit Cursor(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  bool enter_object() { return take('{'); }
  bool enter_array() { return take('['); }
  bool next_member(std::string_view* key);  // then the value must be read or skipped; keys as written, not unescaped
  bool next_item();
  std::string string();    // "" and failed() if there is no string
  std::string_view raw();  // the text of the value
  void skip() { (void)raw(); }
  bool boolean() { return raw() == "true"; }
  char peek() const { return at_ < end_ ? *at_ : '\0'; }
  size_t offset() const { return static_cast<size_t>(at_ - begin_); }
  bool at_end() const { return at_ == end_; }
  bool failed() const { return failed_; }

 private:
  bool take(char c);
  bool fail();
  bool skip_string();
  const char* begin_;
  const char* at_;
  const char* end_;
  bool failed_ = false;
};

// The value at a path of member names ("spec.nodeName") in canonical text; empty if there is none.
std::string_view find_raw(std::string_view text, std::string_view path);
std::string unescape(std::string_view raw_string);  // of a string's text with its quotation marks

}  // namespace lotse
