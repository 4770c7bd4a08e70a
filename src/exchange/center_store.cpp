#include "exchange/center_store.h"

namespace easgd {

CenterReplica make_replica(const MakeBackend& make, const CenterStart& start) {
  CenterReplica replica{.backend = make(), .center = {}, .rule = {}};
  replica.center = replica.backend->allocate(start.x0.size());
  replica.backend->upload(start.x0, replica.center);
  replica.rule = start.algorithm.center(*replica.backend, start.options, start.x0);
  return replica;
}

}  // namespace easgd
