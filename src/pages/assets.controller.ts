import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Controller, Get, NotFoundException, Param, Res } from '@nestjs/common';
import { type Response } from 'express';

const NAMES = ['app.css', 'app.js'];

/** Serves the pages' style and script from the folder `assets` beside this file. */
@Controller('assets')
export class AssetsController {
  private readonly contents = new Map(
    NAMES.map((name) => [name, readFileSync(join(import.meta.dirname, 'assets', name), 'utf8')]),
  );

  @Get(':name')
  send(@Param('name') name: string, @Res() response: Response): void {
    const content = this.contents.get(name);
    if (content === undefined) throw new NotFoundException();
    response.setHeader('Cache-Control', 'no-cache');
    response.type(extname(name)).send(content);
  }
}
