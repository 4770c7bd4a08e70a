#include "sweep/metrics_tail.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/unreadable.h"
#include "runs/events.h"

namespace easgd {
namespace {

struct Taker {
  RunGlance& glance;

  void operator()(const ProgressEvent& event) const {
    glance.fraction = event.fraction.value_or(0);
    glance.images_per_second = event.images_per_second;
  }
  void operator()(const EvaluationEvent& event) const {
    glance.test_error = event.test_error;
    const double best = glance.best_test_error.value_or(event.test_error);
    glance.best_test_error = std::min(best, event.test_error);
  }
  template <class Other>
  void operator()(const Other&) const {}
};

}  // namespace

MetricsTail::MetricsTail(const std::filesystem::path& run_folder)
    : path_(run_folder / "metrics.jsonl") {}

const RunGlance& MetricsTail::look() {
  struct stat status {};
  if (stat(path_.c_str(), &status) == 0 && status.st_ino != inode_) {
    inode_ = status.st_ino;
    read_ = 0;
    glance_ = {};
  }
  if (!why_unreadable(path_, kLongestLog).empty()) return glance_;
  std::ifstream file(path_, std::ios::binary);
  file.seekg(read_);
  for (std::string line; std::getline(file, line) && !file.eof();) {
    read_ += std::int64_t(line.size()) + 1;
    try {
      if (const auto event = event_of(nlohmann::json::parse(line))) {
        std::visit(Taker{glance_}, *event);
      }
    } catch (const nlohmann::json::exception&) {
    } catch (const DataError&) {
    }
  }
  return glance_;
}

}  // namespace easgd
