#include "witness.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "backend/cpu/cpu_backend.h"
#include "train/noisy_quadratic.h"

namespace easgd::storm {
namespace {

/// Counts letters.
class SeenLane final : public cpu::CpuLetterLane {
 public:
  SeenLane(Witness& witness, std::size_t worker) : witness_(witness), worker_(worker) {}
  void post(std::span<const ConstView> parts, View to, std::function<void()> posted) override {
    witness_.see_letter(worker_);
    CpuLetterLane::post(parts, to, std::move(posted));
  }

 private:
  Witness& witness_;
  const std::size_t worker_;
};

class SeenBackend final : public cpu::CpuBackend {
 public:
  SeenBackend(Witness& witness, std::size_t worker) : CpuBackend({}), letters_(witness, worker) {}
  LetterLane& letters() override { return letters_; }

 private:
  SeenLane letters_;
};

/// Of one life of a worker.
class SeenBatches final : public BatchSource {
 public:
  SeenBatches(std::unique_ptr<BatchSource> inner, Witness& witness, std::size_t worker)
      : inner_(std::move(inner)), witness_(witness), worker_(worker) {}
  const Batch& next(std::uint64_t step) override {
    if (last_ && step != *last_ + 1) {
      witness_.complain(fmt::format("worker {}: step {} after {}", worker_, step, *last_));
    }
    last_ = step;
    return inner_->next(step);
  }

 private:
  const std::unique_ptr<BatchSource> inner_;
  Witness& witness_;
  const std::size_t worker_;
  std::optional<std::uint64_t> last_;
};

/// Moves its running statistics in every step, as a batch normalisation does, and keeps the
/// training loss until it is taken.
class MovingModel final : public Model {
 public:
  explicit MovingModel(std::unique_ptr<Model> inner) : inner_(std::move(inner)) {}
  void gradient(ConstView x, const Batch& batch, View g, View statistics) override {
    inner_->gradient(x, batch, g, statistics);
    tally_ += {.loss = x[0], .hits = std::int64_t(batch.step % 2), .samples = 1};
    for (std::size_t j = 0; j < statistics.size(); ++j) {
      statistics[j] +=
          0.1f * (float(quadratic::noise(batch.worker, batch.step, j)) - statistics[j]);
    }
  }
  void evaluate(ConstView state, const Batch& batch) override { inner_->evaluate(state, batch); }
  void observe(ConstView x, const Batch& batch, float share, View statistics) override {
    inner_->observe(x, batch, share, statistics);
  }
  Tally take_tally() override { return std::exchange(tally_, {}); }
  void give_back(const Tally& tally) override { tally_ += tally; }
  std::size_t memory() const override { return inner_->memory(); }

 private:
  const std::unique_ptr<Model> inner_;
  Tally tally_;
};

class SeenCenterRule final : public CenterRule {
 public:
  SeenCenterRule(std::unique_ptr<CenterRule> inner, Witness& witness)
      : inner_(std::move(inner)), witness_(witness) {}
  void absorb(const Round& round, View center) override {
    const std::vector<float> before(center.begin(), center.end());
    inner_->absorb(round, center);
    witness_.see_round(round, before, center);
  }
  ConstView summand(const Letter& letter, ConstView center) override {
    return inner_->summand(letter, center);
  }
  ConstView vector_to_pull(ConstView c) const override { return inner_->vector_to_pull(c); }
  ConstView evaluation_vector(ConstView c) const override { return inner_->evaluation_vector(c); }
  void describe(State& state) override { inner_->describe(state); }

 private:
  const std::unique_ptr<CenterRule> inner_;
  Witness& witness_;
};

class SeenWorkerRule final : public WorkerRule {
 public:
  SeenWorkerRule(std::unique_ptr<WorkerRule> inner, Witness& witness)
      : inner_(std::move(inner)), witness_(witness) {}
  ConstView gradient_point() const override { return inner_->gradient_point(); }
  ConstView letter() const override { return inner_->letter(); }
  void receive(ConstView reply, const Rates& rates) override { inner_->receive(reply, rates); }
  void step(ConstView g, ConstView reply, const Rates& rates) override {
    const std::vector<float> before(letter().begin(), letter().end());
    inner_->step(g, reply, rates);
    witness_.see_loss(before, letter(), g, reply, rates);
  }
  void restart(ConstView center) override { inner_->restart(center); }
  void describe(State& state) override { inner_->describe(state); }

 private:
  const std::unique_ptr<WorkerRule> inner_;
  Witness& witness_;
};

/// Rounding of some additions.
bool is_close(double a, double b, double size) {
  return std::abs(a - b) <= 1e-5 * (1 + size);
}

}  // namespace

Witness::Witness(const Weather& weather, const Checkpoint* from)
    : weather_(weather),
      algorithm_(Registry<Algorithm>::get(weather.config.algorithm.name)),
      sent_(weather.workers),
      last_version_(weather.workers),
      clocks_(weather.workers) {
  if (!from) return;
  const SavedState& center = from->get("center");
  version_ = absorbed_ = center.counter("version");
  last_version_ = center.counts("last_version", weather.workers);
  clocks_ = center.counts("steps", weather.workers);
  for (std::size_t i = 0; i < weather.workers; ++i) {
    sent_[i] = center.counts("exchanges", weather.workers)[i] +
               center.counts("refused", weather.workers)[i];
  }
}

void Witness::attend(TeamOptions& options, Algorithm& algorithm) {
  algorithm = *options.algorithm;
  algorithm.center = [this, make = algorithm.center](auto&&... of) {
    return std::make_unique<SeenCenterRule>(make(of...), *this);
  };
  algorithm.worker = [this, make = algorithm.worker](auto&&... of) {
    return std::make_unique<SeenWorkerRule>(make(of...), *this);
  };
  options.algorithm = &algorithm;
  for (std::size_t i = 0; i < options.workers.size(); ++i) {
    WorkerParts& parts = options.workers[i];
    parts.backend = [this, i] { return std::make_unique<SeenBackend>(*this, i); };
    parts.model = [make = parts.model](Backend& backend) {
      return std::make_unique<MovingModel>(make(backend));
    };
    parts.batches = [this, i, make = parts.batches](Backend& backend) {
      return std::make_unique<SeenBatches>(make(backend), *this, i);
    };
  }
}

std::optional<std::string> Witness::complaint() const {
  const std::lock_guard lock(mutex_);
  return complaint_;
}

void Witness::complain(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (!complaint_) complaint_ = what;
}

/// Of methods that are the paper's EASGD: x - eta g - e, with the e of the reply.
void Witness::see_loss(ConstView before, ConstView after, ConstView g, ConstView reply,
                       const Rates& rates) {
  if (weather_.config.algorithm.name != "easgd") return;
  for (std::size_t j = 0; j < before.size(); ++j) {
    const double lost = double(before[j]) - double(rates.learning_rate) * double(g[j]) - after[j];
    const double e = reply.empty() ? 0 : reply[j];
    if (!is_close(lost, e, std::abs(before[j])) && std::isfinite(after[j])) {
      complain(fmt::format("a worker loses {} of x_{}, and its reply is {}", lost, j, e));
    }
  }
}

void Witness::see_round(const Round& round, const std::vector<float>& before, ConstView after) {
  for (std::size_t k = 0; k < round.letters.size(); ++k) {
    const Letter& letter = round.letters[k];
    std::uint64_t& last = last_version_[letter.worker];
    const std::uint64_t age = absorbed_ - last;
    if (letter.age != age || age > most_stale()) {
      complain(fmt::format("worker {}: a letter of age {}, {} by the count, at most {}",
                           letter.worker, letter.age, age, most_stale()));
    }
    last = ++absorbed_;
  }
  const bool adds_letters = weather_.config.algorithm.name.ends_with("downpour") &&
                            weather_.config.algorithm.name != "mdownpour";
  if (!algorithm_.elastic_region && !adds_letters) return;
  for (std::size_t j = 0; j < before.size(); ++j) {
    double given = 0, size = std::abs(before[j]);
    for (const Letter& letter : round.letters) {
      given += adds_letters ? letter.values[j] : letter.reply[j];
      size += std::abs(letter.values[j]);
    }
    const double gained = double(after[j]) - double(before[j]);
    if (!is_close(gained, given, size)) {
      complain(fmt::format("the center gains {} of c_{}, and is given {}", gained, j, given));
    }
  }
}

/// Letters of a worker are as far apart as its slowest steps and transfers, those of others as
/// their fastest steps. A last letter comes sooner, and so does who begins again.
std::uint64_t Witness::most_stale() const {
  if (!weather_.faults.empty()) return WorkerSchedule::kEndless;
  const VirtualTimes& t = weather_.times;
  const double steps = double(weather_.config.algorithm.tau) * t.step_seconds;
  const double longest = steps * (1 + t.jitter) + 4 * t.transfer_seconds;
  const double shortest = steps * (1 - t.jitter);
  return std::uint64_t(weather_.workers - 1) * (std::uint64_t(longest / shortest) + 3);
}

void Witness::see_version(const CenterView& center, const Team& team) {
  if (center.version != absorbed_ || center.version <= version_) {
    complain(
        fmt::format("version {} after {}, and {} letters", center.version, version_, absorbed_));
  }
  version_ = center.version;
  const double seconds = center.seconds.value_or(-1);
  if (!(seconds >= seconds_)) complain(fmt::format("{} s after {} s", seconds, seconds_));
  seconds_ = seconds;
  for (std::size_t i = 0; i < weather_.workers; ++i) {
    const std::uint64_t clock = center.steps[i];
    if (clock < clocks_[i] || clock > std::uint64_t(*weather_.config.stop.steps)) {
      complain(fmt::format("worker {}: clock {} after {}", i, clock, clocks_[i]));
    }
    clocks_[i] = clock;
  }
  check_letters(team);
}

void Witness::check_letters(const Team& team) {
  std::uint64_t exchanges = 0;
  for (std::size_t i = 0; i < weather_.workers; ++i) {
    const WorkerTelemetry& t = team.telemetry(i);
    const std::uint64_t served = t.exchanges + t.refused, sent = sent_[i];
    exchanges += t.exchanges;
    if (sent < served || sent > served + 1) {
      complain(fmt::format("worker {}: {} letters sent, {} served", i, sent, served));
    }
  }
  if (exchanges != version_) {
    complain(fmt::format("{} exchanges at version {}", exchanges, version_));
  }
}

void Witness::see_end(const Team& team) {
  check_letters(team);
}

}  // namespace easgd::storm
