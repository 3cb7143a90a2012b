/** Asks for a sandbox where there is none to be had, and prints what it is told. */
import { sandboxed } from '../../kernel/sandbox/index.ts';

const command = { command: process.execPath, args: ['-e', 'console.log("started")'], env: {} };
const said = (spec: object): unknown => {
  try {
    return sandboxed(spec, command).confinement;
  } catch (error) {
    const { code, message, details } = error as Error & { code: string; details: unknown };
    return { code, message, details };
  }
};
console.log(JSON.stringify({ required: said({}), optional: said({ required: false }) }));
