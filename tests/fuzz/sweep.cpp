// A sweep file beside a configuration that it varies.
#include "sweep/sweep_file.h"
#include "target.h"

namespace easgd::testing {
namespace {

constexpr std::string_view kBase = R"([data]
set = "synthetic"
[[network.layer]]
type = "linear"
outputs = 10
[[network.layer]]
type = "softmax_cross_entropy"
)";

void read(std::string_view bytes) {
  static const FuzzFolder folder;
  static const std::string base = folder.put("base.toml", kBase);
  const std::string path = folder.put("sweep.toml", bytes);
  SweepFile sweep;
  if (!accepts([&] { sweep = read_sweep_file(path); })) return;
  for (const Axes& axes : sweep.groups) {
    for (const Axis& axis : axes) {
      for (const auto& point : axis.points)
        expect(point.size() == axis.keys.size(), "a value a key");
      if (axis.range) expect(axis.at(0.5).size() == axis.keys.size(), "a value a key of a range");
    }
  }
}

const RegisteredTarget kRegistered("sweep", {read});

}  // namespace
}  // namespace easgd::testing
