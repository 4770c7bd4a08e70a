// The manifest of a sweep: whatever it says, its runs lie in the sweep's folder.
#include <algorithm>

#include "runs/manifest.h"
#include "target.h"

namespace easgd::testing {
namespace {

void read(std::string_view bytes) {
  static const FuzzFolder folder;
  folder.put("manifest.jsonl", bytes);
  SweepRecord record;
  if (!accepts([&record] { record = read_sweep(folder.path()); }) || !record.plan) return;
  for (const PlannedRun& run : record.plan->runs) {
    const std::filesystem::path path = run.folder;
    expect(!path.is_absolute() && std::ranges::count(path, std::filesystem::path("..")) == 0,
           "a run lies in its sweep");
    record.state_of(run.identity);
  }
}

const RegisteredTarget kRegistered("manifest", {read});

}  // namespace
}  // namespace easgd::testing
