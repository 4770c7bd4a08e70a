#include "exchange/rate_cuts.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/error.h"
#include "exchange/saved_tally.h"

namespace easgd {

RateCuts::RateCuts(const Schedule& schedule)
    : window_(schedule.kind == ScheduleKind::plateau ? std::uint64_t(schedule.window) : 0),
      gain_(schedule.gain),
      cuts_(schedule.cuts),
      next_look_(window_),
      before_(std::numeric_limits<double>::quiet_NaN()) {}

bool RateCuts::look(std::uint64_t clock, const Tally& uncarried) {
  const double loss = carried_.loss + uncarried.loss - earlier_.loss;
  const std::int64_t samples = carried_.samples + uncarried.samples - earlier_.samples;
  const double mean = loss / double(samples), before = std::exchange(before_, mean);
  next_look_ = clock + window_;
  carried_ = {};
  earlier_ = uncarried;
  const bool is_still = std::isfinite(mean) && mean > (1 - gain_) * before;
  if (!is_still || made_ == cuts_.size()) return false;
  factor_ *= cuts_[made_++];
  return true;
}

void RateCuts::describe(State& state) {
  state.counter("cuts.next_look", next_look_);
  state.counter("cuts.made", made_);
  if (made_ > cuts_.size()) throw DataError("\"cuts.made\": is more than the schedule has");
  state.number("cuts.factor", factor_);
  state.number("cuts.before", before_);
  for (const auto& [name, tally] :
       {std::pair{"cuts.carried", &carried_}, {"cuts.earlier", &earlier_}}) {
    auto samples = std::uint64_t(tally->samples);
    state.number(std::string(name) + ".loss", tally->loss);
    state.counter(std::string(name) + ".samples", samples);
    tally->samples = samples_of(std::string(name) + ".samples", samples);
  }
}

}  // namespace easgd
