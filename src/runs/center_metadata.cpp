#include "runs/center_metadata.h"

#include <nlohmann/json.hpp>

#include "settings/dump.h"

namespace easgd {

std::map<std::string, std::string> center_metadata(const Config& config,
                                                   const std::vector<std::string>& class_names) {
  using Json = nlohmann::json;
  std::map<std::string, std::string> metadata = {{"easgd.config", dump_evaluation_config(config)}};
  if (!class_names.empty()) {
    metadata["easgd.class_names"] =
        Json(class_names).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return metadata;
}

}  // namespace easgd
