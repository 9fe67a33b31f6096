/** Trains a small model on WebGPU and prints its losses: a process of its own, since a failing device may end it. */
import { NodeEngine } from '../../src/engine/node/engine.js';
import { type Lesson, trainLesson } from '../browser/pages/lesson.js';

const lesson = JSON.parse(process.argv[2]!) as Lesson;
process.stdout.write(JSON.stringify(await trainLesson(new NodeEngine('webgpu'), lesson)));
