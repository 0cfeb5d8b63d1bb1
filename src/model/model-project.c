#include "model-project.h"

const AshComponentConfig ash_component_config_empty = {};
