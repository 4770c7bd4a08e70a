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
        const bool is_new = i == list.size();
        std::string kind = is_new ? "" : list[i]->kind();
        element.choice("type", kind, Registry<LayerEntry>::names(), "what the layer computes");
        if (is_new) list.push_back(Registry<LayerEntry>::get(kind)());
        Layer& layer = *list[i];
        if (const std::string at = element.location(); !at.empty()) layer.origin = at;
        const std::string usual = fmt::format("{}{}", kind, i + 1);
        if (!is_new && layer.name.empty()) layer.name = usual;
        element.text("name", layer.name, kNameMeaning);
        if (layer.name.empty()) layer.name = usual;
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
