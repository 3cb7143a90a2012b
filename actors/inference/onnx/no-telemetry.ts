/**
 * onnxruntime, from 1.30 on, makes an identifier for the device, keeps it in the user's cache folder and reports its use
 * to its maker, unless a variable says otherwise. Nothing that is embedded here may cause a word to anybody, so it does.
 *
 * Native code reads the variable from the environment of the process, which only the main thread can change: a worker's
 * `process.env` is a copy. So it is set where a host of models is made, before any of its threads begins. The command
 * line's launcher and the processes of isolated models have it from their beginning.
 */
export const NO_TELEMETRY = { ORT_DISABLE_TELEMETRY: '1' } as const;

/** What the user has set himself stays. */
export function disableTelemetry(): void {
  for (const [name, value] of Object.entries(NO_TELEMETRY)) process.env[name] ??= value;
}
