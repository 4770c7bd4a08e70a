// Sequential SGD, the paper's first comparator: x = x - eta g(x), one worker.
//
// Every tau steps, and at the end, x is published as the center, to be evaluated and saved.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"

namespace easgd {
namespace {

const Registered<Algorithm> kRegistered(
    "sgd", {
               .worker = [](Backend& b, ConstView x0) { return std::make_unique<SgdRule>(b, x0); },
               .center = [] { return std::make_unique<PublishedCenter>(); },
               .single = true,
           });

}  // namespace
}  // namespace easgd
