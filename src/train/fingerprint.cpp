#include "train/fingerprint.h"

#include <bit>
#include <string_view>

#include "config/reader.h"
#include "exchange/team.h"
#include "exchange/virtual_order.h"
#include "train/noisy_quadratic.h"

namespace easgd {
namespace {

constexpr std::size_t kParameters = 13;
constexpr std::int64_t kSteps = 24;
constexpr double kNoise = 0.5;
constexpr VirtualTimes kTimes{
    .step_seconds = 1, .transfer_seconds = 0.3, .jitter = 0.4, .seed = 11};

/// Source: the published constants of FNV-1a with 64 bits.
class Hash {
 public:
  void add(std::uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) add_byte(std::uint8_t(word >> shift));
  }
  void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
  void add(ConstView values) {
    for (const float value : values) add(std::uint64_t(std::bit_cast<std::uint32_t>(value)));
  }
  void add(std::string_view text) {
    for (const char c : text) add_byte(std::uint8_t(c));
  }
  std::uint64_t value() const { return value_; }

 private:
  void add_byte(std::uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3; }

  std::uint64_t value_ = 0xcbf29ce484222325;
};

struct Case {
  Exchange exchange;
  std::size_t workers;
  std::int64_t tau;
};

bool is_defined_for(const Algorithm& algorithm, const Case& c) {
  const bool allowed = algorithm.exchange == Exchange::any || algorithm.exchange == c.exchange;
  return allowed && (!algorithm.single || c.workers == 1) && (!algorithm.every_step || c.tau == 1);
}

Config config_of(const std::string& name, const Algorithm& algorithm, const Case& c) {
  Config config;
  AlgorithmConfig& a = config.algorithm;
  a.choose(name);
  a.exchange = c.exchange;
  a.tau = c.tau;
  a.learning_rate = 0.05;
  a.momentum = 0.9;
  a.weight_decay = 0.01;
  if (algorithm.coupling == Coupling::elastic) a.beta = 0.75;
  if (algorithm.coupling == Coupling::alpha) a.alpha = 0.25;
  if (a.own && a.own->table() == "tree") {  // so that eight workers have several levels
    config::read_text(
        "fanout = 2\ntau_up = 2\ntau_down = 3", "fingerprint", {},
        [&](config::Fields& f) { a.own->fields(f); }, "");
  }
  config.workers.batch = 1;
  config.stop.steps = kSteps;
  return config;
}

void run(const std::string& name, const Algorithm& algorithm, const Case& c, Hash& hash) {
  const Config config = config_of(name, algorithm, c);
  const WorkerSchedule schedule(config, c.workers, 1);
  const Buffer start = quadratic::start_vector(kParameters);
  TeamOptions options{.algorithm = &algorithm,
                      .schedule = &schedule,
                      .own = config.algorithm.own,
                      .placement = {},
                      .workers = {},
                      .order = virtual_order(schedule, algorithm, c.workers, kTimes,
                                             c.exchange == Exchange::synchronous),
                      .state0 = start,
                      .policy = {.on_failure = OnFailure::stop},
                      .on_version = {},
                      .on_failure = {}};
  for (std::size_t i = 0; i < c.workers; ++i) {
    options.workers.push_back(quadratic::parts(std::uint32_t(i), kNoise));
  }
  options.on_version = [&hash](const CenterView& center, double) {
    hash.add(center.version);
    hash.add(center.center);
    hash.add(center.train.loss);
    hash.add(*center.seconds);
    return true;
  };
  Team team(std::move(options));
  team.start();
  team.join();
  for (const std::uint16_t worker : team.master().order()) hash.add(std::uint64_t(worker));
  for (const std::uint64_t steps : team.master().view().steps) hash.add(steps);
  hash.add(team.master().view().center);
}

}  // namespace

std::map<std::string, std::uint64_t> fingerprints() {
  std::map<std::string, std::uint64_t> result;
  for (const std::string& name : Registry<Algorithm>::names()) {
    const Algorithm& algorithm = Registry<Algorithm>::get(name);
    Hash hash;
    for (const Exchange exchange : {Exchange::asynchronous, Exchange::synchronous}) {
      for (const std::size_t workers : {1, 3, 8}) {
        for (const std::int64_t tau : {1, 5}) {
          const Case c{exchange, workers, tau};
          if (is_defined_for(algorithm, c)) run(name, algorithm, c, hash);
        }
      }
    }
    result[name] = hash.value();
  }
  return result;
}

std::uint64_t fingerprint_of_all(const std::map<std::string, std::uint64_t>& each) {
  Hash hash;
  for (const auto& [name, number] : each) {
    hash.add(std::string_view(name));
    hash.add(number);
  }
  return hash.value();
}

}  // namespace easgd
