// What every page does.

import { startBell } from "./alerts/bell.js";
import { startAppearance } from "./appearance.js";
import { startConnection } from "./connection.js";

startAppearance();
startConnection();
startBell();
