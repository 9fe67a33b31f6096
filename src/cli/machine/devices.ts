import { type DeviceReport, reportDevices } from '../../engine/node/devices.js';
import { STEP_PARAMETERS, type StepCost, type StepCosts } from '../../engine/step-speed.js';
import type { Context } from '../terminal/context.js';
import { table } from '../terminal/format.js';
import { ProgressLine } from '../terminal/progress-line.js';

/** Tells what this machine can train on. */
export async function showDevices({ output }: Context): Promise<number> {
  const line = new ProgressLine(output);
  if (output.live) line.show('measuring');
  const devices = await reportDevices().finally(() => line.end());
  output.event({ type: 'result', devices });
  output.text(`${devicesText(devices)}\nMeasured as the TOP500 measures its machines: meanfield linpack\n`);
  return 0;
}

/** The devices as a table, a row for each number of threads. */
export function devicesText(devices: readonly DeviceReport[]): string {
  const rows = devices.flatMap(({ device, description, speeds }) =>
    speeds.length === 0
      ? [[device, 'no', '', '', description]]
      : speeds.map(({ threads, gflops }, i) => [
          i === 0 ? device : '',
          i === 0 ? 'yes' : '',
          String(threads),
          gflops.toFixed(1),
          i === 0 ? description : '',
        ]),
  );
  const steps = devices.flatMap(({ device, step }) =>
    step?.resident ? [`\n${stepText(device, step, step.resident)}\n`] : [],
  );
  const hints = devices.flatMap(({ device, hint }) => (hint === undefined ? [] : [`\n${device}: ${hint}\n`]));
  return table([['device', 'usable', 'threads', 'GFLOP/s', ''], ...rows], [2, 3]) + [...steps, ...hints].join('');
}

/** What a device gains by keeping a model's vectors from step to step. */
function stepText(device: string, { copied }: StepCosts, resident: StepCost): string {
  const cost = ({ milliseconds, bytes }: StepCost) => `${milliseconds.toFixed(1)} ms and ${megabytes(bytes)}`;
  const parameters = `${(STEP_PARAMETERS / 1e6).toFixed(1)} million parameters`;
  return `${device}: a step on ${parameters} takes ${cost(resident)} to and from the device, where its vectors stay there, as in train; where they crossed each time it would be ${cost(copied)}`;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
