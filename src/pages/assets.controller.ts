import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Controller, Get, Header } from '@nestjs/common';

/** The pages' style and script, as they lie beside this file. */
@Controller('assets')
export class AssetsController {
  private readonly style = read('app.css');
  private readonly script = read('app.js');

  @Get('app.css')
  @Header('Content-Type', 'text/css; charset=utf-8')
  @Header('Cache-Control', 'no-cache')
  css(): string {
    return this.style;
  }

  @Get('app.js')
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  @Header('Cache-Control', 'no-cache')
  js(): string {
    return this.script;
  }
}

function read(name: string): string {
  return readFileSync(join(import.meta.dirname, 'assets', name), 'utf8');
}
