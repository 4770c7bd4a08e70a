#include "storm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "../quadratic.h"
#include "../temporary_folder.h"
#include "base/error.h"
#include "runs/checkpoint_file.h"
#include "settings/fault.h"
#include "train/faulty_model.h"
#include "weather.h"
#include "witness.h"

namespace easgd::storm {
namespace {

/// What a run leaves that any other of the same weather has to leave too.
struct End {
  std::vector<float> center, statistics;
  std::vector<std::uint16_t> order;
  std::vector<Incident> incidents;
  std::vector<std::uint64_t> steps, exchanges, refused;
  std::uint64_t version = 0;
  double seconds = 0, loss = 0;
  std::int64_t samples = 0;
};

/// A step of a worker.
struct Place {
  std::uint32_t worker = 0;
  std::uint64_t step = 0;
};

/// What happens to a piece of a run.
struct Course {
  const Checkpoint* from = nullptr;
  std::uint64_t stop_after = 0;        ///< versions; 0: it is not stopped
  std::optional<Place> stop_at = {};   ///< the batch at which it is stopped
  std::uint64_t checkpoint_every = 0;  ///< versions; 0: none on the way
  bool dawdles = false;                ///< workers wait now and then, each by itself
};

struct Piece {
  End end;
  std::vector<Checkpoint> checkpoints;  ///< made on the way, up to the stop
  std::optional<Checkpoint> last;
  std::uint64_t restarts = 0, failed = 0;
  bool stopped = false;
  std::optional<std::string> wrong;
};

std::vector<float> values_of(ConstView view) {
  return {view.begin(), view.end()};
}

/// A piece, from birth to end, under the eyes of a witness.
class Run {
 public:
  Run(const Weather& weather, const Course& course)
      : weather_(weather),
        course_(course),
        witness_(weather, course.from),
        schedule_(weather.config, weather.workers, 1),
        state0_(quadratic::start_vector(weather.parameters + weather.statistics)) {}

  Piece run() {
    Team team(options());
    team_ = &team;
    try {
      team.start();
      join(team);
      if (!stopped_) witness_.see_end(team);
      read_end(team);
    } catch (const std::exception& e) {
      witness_.complain(e.what());
    }
    piece_.stopped = stopped_;
    piece_.wrong = witness_.complaint();
    return std::move(piece_);
  }

 private:
  TeamOptions options() {
    quadratic::Toy toy;
    toy.config = weather_.config;
    toy.workers = weather_.workers;
    toy.before_batch = [this](std::uint32_t worker, std::uint64_t step) {
      begin_step(worker, step);
    };
    toy.order = [this] {
      return virtual_order(schedule_, Registry<Algorithm>::get(weather_.config.algorithm.name),
                           weather_.workers, weather_.times, weather_.synchronous);
    };
    TeamOptions o = toy.options(schedule_, state0_);
    o.statistics.count = weather_.statistics;
    o.policy.on_failure = weather_.on_failure;
    o.on_begin = [this](const Beginning& beginning, double) { witness_.see_beginning(beginning); };
    inject_faults(o);
    o.on_version = [this](const CenterView& center, double) {
      see_version(center);
      return false;
    };
    o.checkpoints = {.wanted = true, .resumed = course_.from};
    o.checkpoints.is_due = [this](const CenterView& center, double) { return is_due(center); };
    witness_.attend(o, algorithm_);
    return o;
  }

  /// Who fails while the run is being stopped begins again when it goes on, and not before: so the
  /// last worker may be gone.
  void join(Team& team) const {
    try {
      team.join();
    } catch (const std::exception&) {
      if (!stopped_ || team.failed() < team.workers()) throw;
    }
  }

  void see_version(const CenterView& center) {
    witness_.see_version(center, *team_);
    const std::uint64_t begin = course_.from ? course_.from->version : 0;
    if (course_.stop_after > 0 && center.version >= begin + course_.stop_after) stop();
    if (witness_.complaint()) stop();
  }

  /// Takes what has become whole since the last time, as the keeper does.
  bool is_due(const CenterView& center) {
    if (auto checkpoint = team_->take_checkpoint(); checkpoint && !stopped_) {
      piece_.checkpoints.push_back(std::move(*checkpoint));
    }
    return course_.checkpoint_every > 0 && center.version % course_.checkpoint_every == 0;
  }

  void begin_step(std::uint32_t worker, std::uint64_t step) {
    const auto& at = course_.stop_at;
    if (at && worker == at->worker && step >= at->step) stop();
    if (course_.dawdles && (worker + step) % 3 == 0) std::this_thread::yield();
  }

  /// As debug.fail does.
  void inject_faults(TeamOptions& o) const {
    const std::vector<Fault> all = parse_faults(weather_.faults);
    for (std::size_t i = 0; i < o.workers.size(); ++i) {
      std::vector<Fault> own = all;
      std::erase_if(own, [i](const Fault& fault) { return fault.worker != i; });
      if (own.empty()) continue;
      o.workers[i].faults = [own](Backend& backend, std::unique_ptr<Model> model,
                                  std::optional<std::uint64_t> began) {
        return with_faults(own, backend, std::move(model), began);
      };
    }
  }

  void stop() {
    stopped_ = true;
    team_->request_stop();
  }

  void read_end(const Team& team) {
    const CenterView center = team.master().view();
    piece_.end.center = values_of(center.center);
    piece_.end.statistics = values_of(center.statistics);
    piece_.end.loss = center.train.loss;
    piece_.end.samples = center.train.samples;
    piece_.end.version = center.version;
    piece_.end.seconds = center.seconds.value_or(-1);
    const Recording recording = team.recording();
    piece_.end.order = recording.letters;
    piece_.end.incidents = recording.incidents;
    piece_.end.steps = recording.steps;
    piece_.restarts = team.restarts();
    piece_.failed = team.failed();
    for (std::size_t i = 0; i < weather_.workers; ++i) {
      piece_.end.exchanges.push_back(team.telemetry(i).exchanges);
      piece_.end.refused.push_back(team.telemetry(i).refused);
    }
    piece_.last = team_->take_last_checkpoint();
  }

  const Weather& weather_;
  const Course course_;
  Witness witness_;
  const WorkerSchedule schedule_;
  const Buffer state0_;
  Algorithm algorithm_;
  Team* team_ = nullptr;
  std::atomic<bool> stopped_{false};
  Piece piece_;
};

/// Where checkpoints are, and what is left of them after a kill.
class Shelf {
 public:
  explicit Shelf(bool on_disk) : on_disk_(on_disk) {}

  void put(Checkpoint checkpoint) {
    if (on_disk_) {
      std::ofstream file(path(count_));
      write_checkpoint(file, checkpoint);
    } else {
      kept_.push_back(std::move(checkpoint));
    }
    ++count_;
  }

  /// The last was being written. Returns what is wrong with the reader, if it takes it.
  std::optional<std::string> tear(Dice& dice) {
    if (!on_disk_ || count_ == 0) return std::nullopt;
    const std::string torn = path(--count_);
    std::filesystem::resize_file(torn, dice.below(std::filesystem::file_size(torn)));
    try {
      read_checkpoint(torn);
    } catch (const DataError&) {
      return std::nullopt;
    }
    return "a checkpoint that was cut short was read";
  }

  /// The last but `back`; nothing if there are not so many.
  std::optional<Checkpoint> take(std::uint64_t back) const {
    if (back >= count_) return std::nullopt;
    const std::uint64_t which = count_ - 1 - back;
    return on_disk_ ? read_checkpoint(path(which)) : kept_[which];
  }

 private:
  std::string path(std::uint64_t number) const { return folder_ / fmt::format("{}", number); }

  const bool on_disk_;
  testing::TemporaryFolder folder_;
  std::vector<Checkpoint> kept_;
  std::uint64_t count_ = 0;
};

/// In words, what differs; empty if nothing does.
std::string difference(const End& calm, const End& end) {
  if (end.order != calm.order) return "the order";
  if (end.incidents != calm.incidents) return "what befell whom";
  if (end.version != calm.version) return "the version";
  if (end.steps != calm.steps) return "the steps";
  if (end.exchanges != calm.exchanges) return "the letters absorbed";
  if (end.refused != calm.refused) return "the letters refused";
  if (end.seconds != calm.seconds) return "virtual time";
  if (end.statistics != calm.statistics) return "the statistics";
  if (end.loss != calm.loss || end.samples != calm.samples) return "the training loss";
  return end.center != calm.center ? "the center" : "";
}

Course choose_course(Dice& dice, const Weather& weather, std::uint64_t versions) {
  Course course{.checkpoint_every = dice.once_in(3) ? 1 : dice.between(1, 9), .dawdles = true};
  if (dice.once_in(3)) {
    course.stop_at = Place{std::uint32_t(dice.below(weather.workers)),
                           dice.below(std::uint64_t(*weather.config.stop.steps))};
  } else {
    course.stop_after = dice.between(1, versions + 1);
  }
  return course;
}

/// Pieces up to one that nothing stops.
void go_through(Dice& dice, const Weather& weather, const End& calm, Report& report) {
  Shelf shelf(dice.once_in(4));
  std::optional<Checkpoint> from;
  for (std::uint64_t left = dice.between(1, 8);; --left) {
    Course course = left > 0 ? choose_course(dice, weather, calm.version) : Course{};
    course.from = from ? &*from : nullptr;
    Piece piece = Run(weather, course).run();
    ++report.pieces;
    report.checkpoints += piece.checkpoints.size();
    if (piece.wrong) {
      report.wrong = fmt::format("piece {}: {}", report.pieces, *piece.wrong);
      return;
    }
    if (!piece.stopped) {
      const std::string other = difference(calm, piece.end);
      if (!other.empty()) report.wrong = fmt::format("piece {}: {} differs", report.pieces, other);
      return;
    }
    for (Checkpoint& checkpoint : piece.checkpoints) shelf.put(std::move(checkpoint));
    const bool is_killed = dice.once_in(3);
    if (!is_killed && !piece.last) {
      report.wrong = "a run that was stopped leaves no checkpoint";
      return;
    }
    if (!is_killed) shelf.put(std::move(*piece.last));
    if (is_killed && dice.once_in(2)) report.wrong = shelf.tear(dice);
    if (report.wrong) return;
    from = shelf.take(is_killed && dice.once_in(3) ? dice.below(3) : 0);
  }
}

}  // namespace

void Report::operator+=(const Report& other) {
  pieces += other.pieces, versions += other.versions, checkpoints += other.checkpoints;
  refused += other.refused, restarts += other.restarts, gone += other.gone;
}

std::string weather_of(std::uint64_t seed) {
  Dice dice(seed);
  return choose_weather(dice).describe();
}

Report storm(std::uint64_t seed) {
  Dice dice(seed);
  const Weather weather = choose_weather(dice);
  Report report{.weather = weather.describe()};
  const Piece calm = Run(weather, {.dawdles = dice.once_in(2)}).run();
  report.versions = calm.end.version;
  report.restarts = calm.restarts;
  report.gone = calm.failed;
  for (const std::uint64_t refused : calm.end.refused) report.refused += refused;
  report.wrong = calm.wrong;
  if (!report.wrong) go_through(dice, weather, calm.end, report);
  return report;
}

}  // namespace easgd::storm
