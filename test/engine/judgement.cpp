// The engine as most tests call it, compiled once.
#include "test/engine/judgement.hpp"

namespace vestibule::test {

template attempted attempt(const bytes&, imagined_host&&, const circumstances&);
template completed complete(const bytes&, imagined_host&&, const circumstances&);

} // namespace vestibule::test
