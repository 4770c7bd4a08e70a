// What the master puts into a checkpoint, and how it goes on from one.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/trace.h"
#include "exchange/master.h"
#include "exchange/saved_tally.h"
#include "exchange/worker.h"

namespace easgd {
namespace {

std::string bytes_of(const std::vector<std::uint16_t>& workers) {
  return {reinterpret_cast<const char*>(workers.data()), workers.size() * sizeof(std::uint16_t)};
}

/// Throws: DataError if it names a worker that there is not.
std::vector<std::uint16_t> workers_in(const std::string& bytes, std::size_t count) {
  std::vector<std::uint16_t> workers(bytes.size() / sizeof(std::uint16_t));
  std::copy_n(bytes.data(), bytes.size() / sizeof(std::uint16_t) * sizeof(std::uint16_t),
              reinterpret_cast<char*>(workers.data()));
  for (const std::uint16_t worker : workers) {
    if (worker >= count) throw DataError("\"absorbed\": names worker " + std::to_string(worker));
  }
  return workers;
}

/// None if there were none, or an earlier program made the checkpoint.
/// Throws: DataError if one befell a worker or a visit that there is not.
std::vector<Incident> incidents_in(const SavedState& center, std::size_t workers,
                                   std::size_t visits) {
  const auto found = center.counters.find("incidents");
  if (found == center.counters.end()) return {};
  const std::vector<std::uint64_t>& all = found->second;
  if (all.size() % 4 != 0) throw DataError("\"incidents\": is cut short");
  std::vector<Incident> incidents;
  for (std::size_t i = 0; i < all.size(); i += 4) {
    if (all[i] >= visits || all[i + 1] >= workers ||
        all[i + 2] > std::uint64_t(Incident::Kind::gone)) {
      throw DataError("\"incidents\": holds what is none");
    }
    incidents.push_back({all[i], all[i + 1], Incident::Kind(all[i + 2]), all[i + 3]});
  }
  return incidents;
}

}  // namespace

/// Between two rounds: a checkpoint, if one is due, or if the last one was given up. That of a stop
/// is begun before the order passes over anybody who has left because of it. Who sees that one has
/// left sees the stop.
void Master::heed(const std::stop_token& stop) {
  if (has_stopped_) return;
  if (stop.stop_requested() || pauses()) {
    has_stopped_ = true;
    begin_last_checkpoint();
    order_->stop();
  } else if (checkpoints_.is_due && asked_ != version_) {
    asked_ = version_;
    if (checkpoints_.deposits->is_gathering()) {
      pass_over_the_still();
    } else if (checkpoints_.is_due(view()) || checkpoints_.deposits->has_given_up()) {
      begin_checkpoint({.version = version_});
    }
  }
}

/// Who does not move begins again from a center that has no letter of it that came after the
/// checkpoint. If one has come, the checkpoint is given up for one of now.
void Master::pass_over_the_still() {
  Deposits& deposits = *checkpoints_.deposits;
  for (std::size_t i = 0; checkpoints_.is_still && i < seats_.size(); ++i) {
    if (!checkpoints_.is_still(i) || !deposits.owes(i)) continue;
    const bool has_come = seats_[i].mark == 0;
    if (has_come) begin_checkpoint({.version = version_});
    deposits.stand_in(i, Worker::left_for({seats_[i].telemetry->clock, 0}));
    if (has_come) return pass_over_the_still();
  }
}

bool Master::pauses() {
  if (!checkpoints_.pauses || std::exchange(asked_to_pause_, version_) == version_) return false;
  return checkpoints_.pauses(view());
}

void Master::begin_last_checkpoint() {
  if (checkpoints_.deposits) begin_checkpoint({.version = version_, .is_last = true});
}

void Master::begin_checkpoint(Checkpoint checkpoint) {
  const TraceScope trace("checkpoint");
  const CenterReplica& replica = store_->replicas()[0];
  const auto download = [&](ConstView from, View to) { replica.backend->download(from, to); };
  StateSaver rule(download), order;
  replica.rule->describe(rule);
  order_->describe(order);
  checkpoint.sections["rule"] = std::move(rule.saved);
  checkpoint.sections["order"] = std::move(order.saved);
  SavedState& center = checkpoint.sections["center"];
  center.vectors["center"].resize(parameters_);
  download(replica.center, center.vectors["center"]);
  const ConstView statistics = statistics_;
  center.vectors["statistics"].assign(statistics.begin(), statistics.end());
  save_counts(center);
  if (checkpoints_.add) checkpoints_.add(checkpoint, view());
  const std::uint64_t mark = checkpoints_.deposits->begin(std::move(checkpoint));
  for (Seat& seat : seats_) seat.mark = mark;
}

void Master::save_counts(SavedState& center) const {
  center.counters["version"] = {version_};
  center.counters["steps"] = steps_;
  center.texts["absorbed"] = bytes_of(absorbed_);
  if (beginnings_ > 0) center.counters["beginnings"] = {beginnings_};
  for (const Incident& i : incidents_) {
    std::vector<std::uint64_t>& all = center.counters["incidents"];
    all.insert(all.end(), {i.at, i.worker, std::uint64_t(i.kind), i.clock});
  }
  save_tally(center, "", train_);
  for (const Seat& seat : seats_) {
    const WorkerTelemetry& t = *seat.telemetry;
    center.counters["has_pulled"].push_back(seat.has_pulled);
    center.counters["last_version"].push_back(seat.last_version);
    center.counters["exchanges"].push_back(t.exchanges);
    center.counters["refused"].push_back(t.refused);
    center.counters["staleness"].push_back(t.staleness);
    center.numbers["distance"].push_back(t.distance);
    center.numbers["worker_loss"].push_back(t.loss);
  }
}

/// Throws: DataError if the checkpoint is of another run.
void Master::go_on(const Checkpoint& from) {
  const SavedState &center = from.get("center"), &rule = from.get("rule"),
                   &order = from.get("order");
  for (const CenterReplica& replica : store_->replicas()) {
    const auto upload = [&](ConstView host, View device) { replica.backend->upload(host, device); };
    in_section("rule", [&] {
      StateLoader loader(rule, upload);
      replica.rule->describe(loader);
    });
    in_section("center", [&] { upload(center.vector("center", parameters_), replica.center); });
  }
  in_section("center", [&] {
    copy_on_host(center.vector("statistics", statistics_.size()), statistics_);
    load_counts(center);
  });
  in_section("order", [&] {
    StateLoader loader(order);
    order_->describe(loader);
    order_->check(absorbed_);
  });
}

void Master::load_counts(const SavedState& center) {
  const std::size_t count = seats_.size();
  version_ = asked_ = center.counter("version");
  steps_ = center.counts("steps", count);
  absorbed_ = workers_in(center.text("absorbed"), count);
  incidents_ = incidents_in(center, count, absorbed_.size());
  beginnings_ = center.counters.contains("beginnings") ? center.counter("beginnings") : 0;
  const bool knows_pulls = center.counters.contains("has_pulled");  // of earlier programs not
  train_ = load_tally(center, "");
  for (std::size_t i = 0; i < count; ++i) {
    Seat& seat = seats_[i];
    WorkerTelemetry& t = *seat.telemetry;
    seat.has_pulled = knows_pulls && center.counts("has_pulled", count)[i] != 0;
    t.absorbed = steps_[i];
    seat.last_version = center.counts("last_version", count)[i];
    t.exchanges = center.counts("exchanges", count)[i];
    t.refused = center.counts("refused", count)[i];
    t.staleness = center.counts("staleness", count)[i];
    t.distance = center.list("distance", count)[i];
    t.loss = center.list("worker_loss", count)[i];
    seat.earlier = t.exchanges + t.refused;
  }
}

}  // namespace easgd
