import { Listr, ListrLogger, ProcessOutput, type ListrDefaultRendererLogLevels, type ListrLogLevels } from 'listr2';

/** How the row of a host ends. */
export interface RowEnd {
  ok: boolean;
  title: string;
}

/** One row a host, several at a time. Progress goes to stderr: live on a terminal, a line at its begin and end elsewhere. */
export async function runHostRows<Item, Result>(
  items: readonly Item[],
  option: {
    parallel: number;
    silent: boolean;
    title(item: Item): string;
    run(item: Item, say: (text: string) => void): Promise<Result>;
    end(result: Result): RowEnd;
  },
): Promise<Result[]> {
  const { stderr } = process;
  const processOutput = new ProcessOutput(stderr, stderr);
  const results: Result[] = Array.from({ length: items.length });
  const list = new Listr(
    items.map((item, index) => ({
      title: option.title(item),
      task: async (_: unknown, row: { title?: string; output: string }) => {
        const result = await option.run(item, (text) => {
          if (stderr.isTTY) row.output = text;
        });
        results[index] = result;
        const { ok, title } = option.end(result);
        row.title = title;
        if (!ok) throw new Error(title);
      },
    })),
    {
      concurrent: option.parallel,
      exitOnError: false,
      registerSignalListeners: false,
      silentRendererCondition: option.silent,
      fallbackRendererCondition: !stderr.isTTY,
      rendererOptions: {
        logger: new ListrLogger<ListrDefaultRendererLogLevels>({ processOutput }),
        collapseErrors: false,
        showErrorMessage: false,
      },
      fallbackRendererOptions: { logger: new ListrLogger<ListrLogLevels>({ processOutput }) },
    },
  );
  await list.run();
  return results;
}
