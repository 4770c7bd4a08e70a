#include "algorithms/algorithm.h"

namespace easgd {

void check_entry(const std::string& name, const Algorithm& a) {
  EASGD_CHECK(a.worker && a.center, "\"{}\" without one", name);
  EASGD_CHECK(a.replies || a.timing != Timing::before,
              "\"{}\": its workers meet the master before the gradient, and get no reply", name);
  EASGD_CHECK(!a.single || a.exchange == Exchange::any, "\"{}\": one worker alone in rounds", name);
  EASGD_CHECK(!a.absorbs_sums || a.exchange != Exchange::asynchronous,
              "\"{}\": sums of rounds that it does not have", name);
}

std::unique_ptr<AlgorithmOptions> make_options(const Algorithm& algorithm) {
  return algorithm.options ? algorithm.options() : nullptr;
}

}  // namespace easgd
