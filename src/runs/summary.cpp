#include "runs/summary.h"

#include <fmt/format.h>

#include <cmath>

#include "runs/json_keys.h"

namespace easgd {

nlohmann::json to_json(RunSummary summary) {
  return json_keys::write(summary);
}

std::string text_of(const RunSummary& summary) {
  const nlohmann::json object = to_json(summary);
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

RunSummary summary_of(const nlohmann::json& object) {
  RunSummary result;
  json_keys::read("summary", object, result);
  return result;
}

std::string conclusion(const RunSummary& s) {
  std::string line =
      fmt::format("{}: {} in {:.1f} s", s.name, config::name_of(s.status), s.wall_seconds);
  if (s.virtual_seconds) line += fmt::format(" ({:.1f} virtual s)", *s.virtual_seconds);
  line += fmt::format(", {:.0f} images/s", s.images_per_second);
  if (!std::isnan(s.test_error)) {
    line += fmt::format(", test error {:.2f} % (best {:.2f} %)", 100 * s.test_error,
                        100 * s.best_test_error);
    if (s.test_top5_error) line += fmt::format(", top-5 error {:.2f} %", 100 * *s.test_top5_error);
  }
  if (s.refused_letters > 0) {
    line += fmt::format(", {} letter{} refused for not being finite (a lower learning rate?)",
                        s.refused_letters, s.refused_letters == 1 ? "" : "s");
  }
  if (s.bad_images > 0) {
    line +=
        fmt::format(", {} bad picture{} passed over", s.bad_images, s.bad_images == 1 ? "" : "s");
  }
  if (s.restarts > 0) {
    line += fmt::format(", workers began again {} time{}", s.restarts, s.restarts == 1 ? "" : "s");
  }
  if (s.failed_workers > 0) {
    line += fmt::format(", {} of {} workers failed", s.failed_workers, s.workers);
  }
  return line;
}

}  // namespace easgd
