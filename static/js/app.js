// What every page does.

import { startAppearance } from "./appearance.js";
import { startConnection } from "./connection.js";

startAppearance();
startConnection();
