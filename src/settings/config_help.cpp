#include "settings/config_help.h"

#include "config/writer.h"
#include "settings/algorithm_keys.h"
#include "settings/config.h"
#include "settings/dataset_keys.h"
#include "settings/layer_tables.h"

namespace easgd {

std::string config_help() {
  Config defaults;
  return config::to_help([&](config::Fields& f) { defaults.fields(f); }) +
         "\nKeys that one data set alone has:\n" + dataset_help() +
         "\nKeys that one algorithm alone has:\n" + algorithm_help() +
         "\nLayer types, for [[network.layer]] or the [[layer]] tables of network.file:\n" +
         layer_help();
}

}  // namespace easgd
