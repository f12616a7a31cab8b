import {
  Listr,
  ListrLogger,
  ProcessOutput,
  type ListrDefaultRendererLogLevels,
  type ListrLogLevels,
  type ListrTask,
} from 'listr2';

export interface Step<Context> {
  title: string;
  /** `say` shows a line under the step while it runs. */
  run: (context: Context, say: (text: string) => void) => Promise<void>;
}

/** Runs the steps one after the other. Progress goes to stderr: live on a terminal, line by line elsewhere. */
export async function runSteps<Context extends object>(
  steps: readonly Step<Context>[],
  context: Context,
  { silent, stream = process.stderr }: { silent: boolean; stream?: NodeJS.WriteStream },
): Promise<void> {
  const processOutput = new ProcessOutput(stream, stream);
  const tasks: ListrTask<Context>[] = steps.map(({ title, run }) => ({
    title,
    task: async (_, task) => {
      const startedAt = performance.now();
      await run(context, (text) => {
        if (stream.isTTY) task.output = text; // elsewhere each would be a line for good
      });
      task.title = `${title} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`;
    },
  }));
  const list = new Listr<Context>(tasks, {
    ctx: context,
    concurrent: false,
    exitOnError: true,
    registerSignalListeners: false,
    silentRendererCondition: silent,
    fallbackRendererCondition: !stream.isTTY,
    rendererOptions: {
      logger: new ListrLogger<ListrDefaultRendererLogLevels>({ processOutput }),
      collapseErrors: false,
    },
    fallbackRendererOptions: { logger: new ListrLogger<ListrLogLevels>({ processOutput }) },
  });
  await list.run();
}
