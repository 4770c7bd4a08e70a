// What a run has left, as `easgd report` and a sweep read it, and whoever goes on with it:
// metrics.jsonl, summary.json.
#include "report/reported_run.h"
#include "runs/run_folder.h"
#include "sweep/metrics_tail.h"
#include "target.h"

namespace easgd::testing {
namespace {

/// The reader throws nothing, whatever is in the files; each note is a line.
void check(const FuzzFolder& folder) {
  const report::ReportedRun run = report::read_reported_run(folder.path());
  for (const std::string& note : run.notes) {
    expect(note.find('\n') == note.npos && note.size() < 2000, "a note is a line");
  }
}

void read_metrics(std::string_view bytes) {
  static const FuzzFolder folder;
  folder.put("metrics.jsonl", bytes);
  check(folder);
  MetricsTail(folder.path()).look();
  accepts([] {
    RunFolder run = RunFolder::reopen(folder.path());
    run.drop_events([](const Event& event) { return event.index() % 2 == 1; });
  });
}

void read_summary(std::string_view bytes) {
  static const FuzzFolder folder;
  folder.put("summary.json", bytes);
  check(folder);
}

const RegisteredTarget kMetrics("metrics", {read_metrics}), kSummary("summary", {read_summary});

}  // namespace
}  // namespace easgd::testing
