#include "runs/events.h"

#include "runs/json_keys.h"

namespace easgd {
namespace {

constexpr const char* kKind = "event";

/// In the order of the variant's alternatives.
constexpr const char* kNames[] = {"evaluation", "progress", "warning", "checkpoint",
                                  "resume",     "failure",  "restart", "guard"};

template <class Kind>
Event read_event(const nlohmann::json& object) {
  Kind result;
  json_keys::read(kKind, object, result);
  return result;
}

}  // namespace

nlohmann::json to_json(Event event) {
  auto object = std::visit([](auto& it) { return json_keys::write(it); }, event);
  object[kKind] = kNames[event.index()];
  return object;
}

std::optional<Event> event_of(const nlohmann::json& object) {
  if (!object.is_object() || !object.contains(kKind)) {
    json_keys::refuse(kKind, "an object with this key", object);
  }
  std::string name;
  json_keys::read(kKind, object[kKind], name);
  if (name == kNames[0]) return read_event<EvaluationEvent>(object);
  if (name == kNames[1]) return read_event<ProgressEvent>(object);
  if (name == kNames[2]) return read_event<WarningEvent>(object);
  if (name == kNames[3]) return read_event<CheckpointEvent>(object);
  if (name == kNames[4]) return read_event<ResumeEvent>(object);
  if (name == kNames[5]) return read_event<FailureEvent>(object);
  if (name == kNames[6]) return read_event<RestartEvent>(object);
  if (name == kNames[7]) return read_event<GuardEvent>(object);
  return std::nullopt;
}

}  // namespace easgd
