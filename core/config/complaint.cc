#include "core/config/complaint.h"

#include <fmt/format.h>

namespace lotse::config {
namespace {

// Levenshtein's distance with neighbours that changed places counted as one (people mistype that way).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); i++) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); j++) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    for (size_t j = 1; j <= b.size(); j++) {
      size_t change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string Complaint::text() const {
  if (place.line == 0) return fmt::format("{}: {}", file, sentence);
  return fmt::format("{}:{}:{}: {}", file, place.line, place.column, sentence);
}

void Complaints::add(Place place, std::string sentence) {
  if (list_.size() >= kMax) {
    dropped_++;
    return;
  }
  auto after = std::find_if(list_.begin(), list_.end(), [&](const Complaint& c) {
    return std::pair(c.place.line, c.place.column) > std::pair(place.line, place.column);
  });
  list_.insert(after, Complaint{file_, place, std::move(sentence)});
}

std::string Complaints::text() const {
  std::string out;
  for (const Complaint& complaint : list_) out += (out.empty() ? "" : "\n") + complaint.text();
  if (dropped_ > 0) out += fmt::format("\n{}: and {} more", file_, dropped_);
  return out;
}

Status Complaints::status() const {
  return empty() ? Status() : Status(Reason::kInvalid, text());
}

std::string suggestion(std::string_view wrong, const std::vector<std::string>& known, std::string_view quote) {
  if (wrong.size() > 64) return "";
  size_t best = std::max<size_t>(1, std::min<size_t>(3, wrong.size() / 3)) + 1;
  std::string_view near;
  for (const std::string& candidate : known) {
    size_t d = distance(wrong, candidate);
    if (d < best) best = d, near = candidate;
  }
  return near.empty() ? "" : fmt::format("; did you mean {}{}{}?", quote[0], near, quote[1]);
}

}  // namespace lotse::config
