#include "data/loader.h"

#include <memory>

#include "data/training_assembly.h"

namespace easgd {

Loader::Loader(const Dataset& set, const LoaderOptions& options)
    : Loader(std::make_unique<TrainingAssembly>(set, options), options) {}

Loader::Loader(std::unique_ptr<const TrainingAssembly> assembly, const LoaderOptions& options)
    : shape_(assembly->shape()), ring_(std::move(assembly), options.spawn, options.slots) {}

}  // namespace easgd
