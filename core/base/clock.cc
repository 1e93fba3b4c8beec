#include "core/base/clock.h"

#include <fmt/format.h>

namespace lotse {
namespace {

class SystemClock : public Clock {
 public:
  WallTime now() const override { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }
  SteadyTime steady() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
  }
};

struct Parts {
  int year;
  unsigned month, day, hour, minute, second;
  int64_t nanos;
};

Parts parts_of(WallTime time) {
  using namespace std::chrono;
  auto day = floor<days>(time);
  year_month_day date(day);
  int64_t rest = (time - day).count();
  int64_t seconds = rest / 1'000'000'000;
  return {int(date.year()),         unsigned(date.month()),      unsigned(date.day()),
          unsigned(seconds / 3600), unsigned(seconds / 60 % 60), unsigned(seconds % 60),
          rest % 1'000'000'000};
}

// Reads exactly `digits` digits and advances; -1 where there are none.
int take_number(std::string_view* text, size_t digits) {
  if (text->size() < digits) return -1;
  int value = 0;
  for (size_t i = 0; i < digits; i++) {
    char c = (*text)[i];
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  text->remove_prefix(digits);
  return value;
}

bool take(std::string_view* text, char wanted) {
  if (text->empty() || text->front() != wanted) return false;
  text->remove_prefix(1);
  return true;
}

// ".5" -> 500'000'000; what is finer than a nanosecond is cut off.
bool take_fraction(std::string_view* text, int64_t* nanos) {
  *nanos = 0;
  if (!take(text, '.')) return true;
  int64_t scale = 100'000'000;
  size_t count = 0;
  while (!text->empty() && text->front() >= '0' && text->front() <= '9') {
    *nanos += (text->front() - '0') * scale;
    scale /= 10;
    text->remove_prefix(1);
    count++;
  }
  return count > 0;
}

bool take_offset(std::string_view* text, int* seconds) {
  *seconds = 0;
  if (take(text, 'Z')) return true;
  int sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
  if (sign == 0) return false;
  int hours = take_number(text, 2);
  if (hours < 0 || hours > 23 || !take(text, ':')) return false;
  int minutes = take_number(text, 2);
  if (minutes < 0 || minutes > 59) return false;
  *seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

std::string two(int64_t big, char big_unit, int64_t small, char small_unit) {
  return small == 0 ? fmt::format("{}{}", big, big_unit) : fmt::format("{}{}{}{}", big, big_unit, small, small_unit);
}

}  // namespace

Clock& Clock::system() {
  static SystemClock clock;
  return clock;
}

std::string format_time(WallTime time) {
  Parts p = parts_of(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", p.year, p.month, p.day, p.hour, p.minute, p.second);
}

std::string format_micro_time(WallTime time) {
  Parts p = parts_of(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", p.year, p.month, p.day, p.hour, p.minute, p.second,
                     p.nanos / 1000);
}

Result<WallTime> parse_time(std::string_view text) {
  using namespace std::chrono;
  std::string_view rest = text;
  auto wrong = [&] {
    return Status(Reason::kBadRequest, fmt::format("\"{}\" is no RFC 3339 time", text.substr(0, 64)));
  };
  int y = take_number(&rest, 4);
  if (y < 0 || !take(&rest, '-')) return wrong();
  int mo = take_number(&rest, 2);
  if (mo < 0 || !take(&rest, '-')) return wrong();
  int d = take_number(&rest, 2);
  if (d < 0 || !take(&rest, 'T')) return wrong();
  int h = take_number(&rest, 2);
  if (h < 0 || h > 23 || !take(&rest, ':')) return wrong();
  int mi = take_number(&rest, 2);
  if (mi < 0 || mi > 59 || !take(&rest, ':')) return wrong();
  int s = take_number(&rest, 2);
  if (s < 0 || s > 59) return wrong();
  int64_t nanos = 0;
  int offset = 0;
  if (!take_fraction(&rest, &nanos) || !take_offset(&rest, &offset) || !rest.empty()) return wrong();
  year_month_day date{year(y), month(unsigned(mo)), day(unsigned(d))};
  if (!date.ok()) return wrong();
  if (y < 1678 || y > 2261) {
    return Status(Reason::kBadRequest,
                  fmt::format("\"{}\" lies outside of the years 1678 to 2261", text.substr(0, 64)));
  }
  WallTime time = sys_days(date) + hours(h) + minutes(mi) + seconds(s) - seconds(offset) + nanoseconds(nanos);
  return time;
}

// The steps are those of kubectl's AGE column: fewer digits the older a thing is.
std::string format_age(Duration age) {
  int64_t s = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  if (s < -1) return "<invalid>";
  if (s < 0) return "0s";
  if (s < 120) return fmt::format("{}s", s);
  int64_t m = s / 60, h = s / 3600, d = h / 24;
  if (m < 10) return two(m, 'm', s % 60, 's');
  if (m < 180) return fmt::format("{}m", m);
  if (h < 8) return two(h, 'h', m % 60, 'm');
  if (h < 48) return fmt::format("{}h", h);
  if (h < 192) return two(d, 'd', h % 24, 'h');
  if (d < 730) return fmt::format("{}d", d);
  if (d < 2920) return two(d / 365, 'y', d % 365, 'd');
  return fmt::format("{}y", d / 365);
}

}  // namespace lotse
