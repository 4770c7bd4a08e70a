#include "settings/layer_tables.h"

#include <fmt/format.h>

#include <string>

#include "base/registry.h"
#include "config/writer.h"

namespace easgd {
namespace {

constexpr const char* kNameMeaning = "names the layer's tensors; empty: type and number";
constexpr const char* kFromMeaning =
    "layer whose output it takes, \"images\" for the input; empty: the layer before";

}  // namespace

void layer_fields(config::Fields& f, const char* key, std::vector<std::shared_ptr<Layer>>& list) {
  f.tables(
      key, list.size(),
      [&list](config::Fields& element, std::size_t i) {
        std::string kind = i < list.size() ? list[i]->kind() : "";
        element.choice("type", kind, Registry<LayerEntry>::names(), "what the layer computes");
        if (i == list.size()) list.push_back(Registry<LayerEntry>::get(kind)());
        Layer& layer = *list[i];
        if (const std::string at = element.location(); !at.empty()) layer.origin = at;
        element.text("name", layer.name, kNameMeaning);
        if (layer.name.empty()) layer.name = fmt::format("{}{}", kind, i + 1);
        element.text("from", layer.from, kFromMeaning);
        layer.fields(element);
      },
      "a layer, from the input to the loss; the types are listed below");
}

std::string layer_help() {
  std::string text;
  for (const std::string& kind : Registry<LayerEntry>::names()) {
    const auto layer = Registry<LayerEntry>::get(kind)();
    text += fmt::format("\n  type = \"{}\"\n", kind);
    text += config::to_help([&](config::Fields& f) {
      f.text("name", layer->name, kNameMeaning);
      f.text("from", layer->from, kFromMeaning);
      layer->fields(f);
    });
  }
  return text;
}

}  // namespace easgd
