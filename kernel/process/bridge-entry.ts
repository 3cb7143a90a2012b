/** The entry file of every bridge thread; bridge-start.ts says what happens. */
import { startBridge } from './bridge-start.ts';

void startBridge();
