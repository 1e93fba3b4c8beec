// FieldPath: where in an object something stands, as Kubernetes writes it: spec.containers[0].name. A chain of views
// on the stack, so that a path costs nothing until it is written; a step must be named before the next is made.
#pragma once
#include <string>
#include <string_view>

namespace lotse::schema {

class FieldPath {
 public:
  FieldPath() = default;  // the object itself
  explicit FieldPath(std::string_view name) : name_(name) {}
  // `name` may have dots: child("securityContext.runAsUser").
  FieldPath child(std::string_view name) const& { return FieldPath(this, name, kName); }
  FieldPath index(size_t i) const& { return FieldPath(this, {}, i); }
  FieldPath key(std::string_view key) const& { return FieldPath(this, key, kKey); }
  FieldPath child(std::string_view) const&& = delete;
  FieldPath index(size_t) const&& = delete;
  FieldPath key(std::string_view) const&& = delete;

  std::string text() const {
    std::string out = parent_ ? parent_->text() : std::string();
    if (kind_ == kName) {
      if (!out.empty() && !name_.empty()) out += '.';
      out += name_;
    } else {
      out += '[' + (kind_ == kKey ? std::string(name_) : std::to_string(kind_)) + ']';
    }
    return out;
  }

 private:
  static constexpr size_t kName = SIZE_MAX, kKey = SIZE_MAX - 1;
  FieldPath(const FieldPath* parent, std::string_view name, size_t kind) : parent_(parent), name_(name), kind_(kind) {}
  const FieldPath* parent_ = nullptr;
  std::string_view name_;
  size_t kind_ = kName;  // or an index
};

}  // namespace lotse::schema
