import { type DeviceReport, reportDevices } from '../../engine/node/devices.js';
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
  const hints = devices.flatMap(({ device, hint }) => (hint === undefined ? [] : [`\n${device}: ${hint}\n`]));
  return table([['device', 'usable', 'threads', 'GFLOP/s', ''], ...rows], [2, 3]) + hints.join('');
}
